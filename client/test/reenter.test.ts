// Listeners that act on the client while it is telling them something.
import { expect, test } from 'vitest';
import type { RealtimeOptions, Snapshot } from '../src/index.js';
import { open, type Tab } from './fake/browser.js';
import { Server } from './fake/server.js';

const start = (tabs: number, options: Partial<RealtimeOptions> = {}) =>
  open((world) => new Server(world), { tabs, options });

function leftovers(tab: Tab): number[] {
  const { world, locks, channels } = tab.browser;
  return [world.timersOf(tab), locks.count(tab), channels.count(tab), tab.page.count()];
}

const moments: Record<string, (snapshot: Snapshot) => boolean> = {
  'it begins': ({ status }) => status === 'connecting',
  'it leads': ({ isLeader }) => isLeader,
  'it is live': ({ status }) => status === 'live',
};

for (const [name, moment] of Object.entries(moments)) {
  test(`closed by a listener when ${name}: nothing is left, and nothing more is sent`, async () => {
    const { world, browser, server } = await open((w) => new Server(w));
    const tab = browser.tab({ enabled: () => true });
    void tab.client.stop();
    await world.settle();
    tab.client.subscribe(() => void (moment(tab.snapshot()) && tab.client.close()));
    tab.client.start();
    await world.advance(1_000);
    expect(tab.snapshot()).toMatchObject({ status: 'closed', role: 'none' });
    expect(leftovers(tab)).toEqual([0, 0, 0, 0]);
    const sent = server.requests.length;
    await world.advance(100_000);
    expect(server.requests.length).toBe(sent);
    expect(server.waiting()).toBe(0);
  });
}

test('a listener that pokes whenever something changes: one place among the tabs', async () => {
  const { world, browser, server } = await open((w) => new Server(w));
  const tab = browser.tab();
  tab.client.stop();
  await world.settle();
  const off = tab.client.subscribe(() => tab.client.poke());
  tab.client.start();
  await world.advance(1_000);
  off();
  await world.advance(10_000);
  expect(browser.locks.count(tab)).toBe(1);
  expect(browser.channels.count(tab)).toBe(1);
  expect(server.waiting()).toBe(1);
  void tab.client.close();
  await world.settle();
  expect(leftovers(tab)).toEqual([0, 0, 0, 0]);
});

test('a deaf tab that is closed when it says so leaves no timer', async () => {
  const { world, browser } = await start(2);
  const deaf = browser.follower();
  deaf.deaf = true;
  deaf.client.subscribe(() => void (deaf.snapshot().status === 'degraded' && deaf.client.close()));
  await world.until('closed', () => deaf.snapshot().status === 'closed', 60_000);
  await world.advance(100);
  expect(leftovers(deaf)).toEqual([0, 0, 0, 0]);
  await world.advance(60_000);
});

test('another user signs in while a listener is told of an event', async () => {
  const { world, browser, server } = await start(1);
  const [tab] = browser.tabs as [Tab];
  tab.client.on('events', () => {
    browser.session = 'org-1/u-2';
    tab.client.poke();
  });
  server.publish(1);
  await world.advance(1_000);
  expect(tab.gaps).toEqual(['first', 'first']);
  expect(tab.snapshot().status).toBe('live');
});

test('a listener taken away by another is not called any more', async () => {
  const { world, browser, server } = await start(1);
  const [tab] = browser.tabs as [Tab];
  let calls = 0;
  tab.client.on('events', () => off());
  const off = tab.client.on('events', () => calls++);
  server.publish(1);
  await world.advance(1_000);
  expect(calls).toBe(0);
});

test('a change that a listener makes is told to the others after the one before it', async () => {
  const { world, browser } = await open((w) => new Server(w));
  const tab = browser.tab();
  tab.client.on('status', ({ status }) => void (status === 'live' && tab.client.stop()));
  const told: string[] = [];
  tab.client.on('status', ({ status, role }) => told.push(`${role} ${status}`));
  await world.advance(1_000);
  expect(told.at(-1)).toBe('none idle');
  expect(told.indexOf('leader live')).toBeLessThan(told.indexOf('none idle'));
});
