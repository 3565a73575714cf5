// Starting, stopping, leaving a page and coming back to it.
import { expect, test } from 'vitest';
import type { Flag, RealtimeOptions } from '../src/index.js';
import { open, type Tab } from './fake/browser.js';
import { Server } from './fake/server.js';

const start = (tabs: number, options: Partial<RealtimeOptions> = {}) =>
  open((world) => new Server(world), { tabs, options });

function leftovers(tab: Tab): number[] {
  const { world, locks, channels } = tab.browser;
  return [world.timersOf(tab), locks.count(tab), channels.count(tab), tab.page.count()];
}

for (const [name, without] of Object.entries({
  'Web Locks': {},
  'the lease': { locks: true },
  alone: { channel: true },
})) {
  test(`${name}: close leaves no timer, lock, channel, listener or request, in leader and follower`, async () => {
    const { world, browser, server } = await open((w) => new Server(w), { tabs: 2, without });
    for (const tab of browser.tabs) {
      const closed = tab.client.close();
      await world.settle();
      await closed;
      expect(leftovers(tab), tab.id).toEqual([0, 0, 0, 0]);
      expect(tab.snapshot()).toMatchObject({
        status: 'closed',
        role: 'none',
        isLeader: false,
        isConnected: false,
      });
    }
    expect(server.waiting()).toBe(0);
    const sent = server.requests.length;
    for (const tab of browser.tabs) tab.client.start();
    await world.advance(60_000);
    expect(server.requests.length).toBe(sent);
  });
}

test('closing a tab in the middle of whatever it is doing leaves nothing behind', async () => {
  for (let ms = 0; ms < 60; ms += 3) {
    const { world, browser, server } = await open((w) => new Server(w), { seed: ms + 1 });
    const tab = browser.tab({
      getToken: () => new Promise((resolve) => world.setTimer(tab, () => resolve('token-1'), 5)),
    });
    await world.advance(ms);
    const closed = tab.client.close();
    const sent = server.requests.length;
    await world.settle();
    await closed;
    await world.advance(100);
    expect(leftovers(tab), `after ${ms} ms`).toEqual([0, 0, 0, 0]);
    expect(server.requests.length, `after ${ms} ms`).toBe(sent);
  }
});

test('start and stop, again and again, as StrictMode does: one loop', async () => {
  const { world, browser, server } = await open((w) => new Server(w));
  const tab = browser.tab();
  for (let i = 0; i < 5; i++) {
    tab.client.stop();
    tab.client.start();
    tab.client.start();
  }
  await browser.live();
  await world.advance(1_000);
  expect(server.waiting()).toBe(1);
  expect(server.requests.filter((r) => r.path === 'cursor').length).toBe(1);
  expect(browser.locks.count()).toBe(1);
  tab.client.stop();
  tab.client.stop();
  await world.settle();
  expect(tab.snapshot()).toMatchObject({ status: 'idle', role: 'none' });
  expect(leftovers(tab)).toEqual([0, 0, 0, 0]);
});

test('stopped and started, a client goes on from its cursor', async () => {
  const { world, browser, server } = await start(1);
  const tab = browser.leader();
  server.publish(1);
  await world.until('one', () => tab.events.length === 1);
  tab.client.stop();
  server.publish(2);
  await world.advance(5_000);
  tab.client.start();
  await world.until('three', () => tab.events.length === 3, 1_000);
  expect(tab.gaps).toEqual(['first']);
});

test('a page that goes into the back/forward cache lets go of everything, and comes back with nothing lost', async () => {
  const { world, browser, server } = await start(2);
  const [leader, follower] = [browser.leader(), browser.follower()];
  leader.page.fire('pagehide', { persisted: true });
  await world.settle();
  expect(browser.locks.count(leader)).toBe(0);
  expect(browser.channels.count(leader)).toBe(0);
  expect(leader.snapshot()).toMatchObject({ status: 'paused', role: 'none' });
  await world.until('the other leads', () => follower.snapshot().isLeader, 100);
  server.publish(2);
  await world.until('it has them', () => follower.events.length === 2);
  leader.page.fire('pageshow', { persisted: true });
  await world.until('all', () => leader.events.length === 2, 3_000);
  expect(leader.snapshot()).toMatchObject({ status: 'live', role: 'follower' });
  expect(browser.leader()).toBe(follower);
});

test('a page that is told of its freezing gives the lead away first', async () => {
  const { world, browser, server } = await start(2);
  const [leader, follower] = [browser.leader(), browser.follower()];
  leader.page.fire('freeze');
  await world.settle();
  leader.freeze();
  await world.until('the other leads', () => follower.snapshot().isLeader, 100);
  server.publish(1);
  await world.until('it has it', () => follower.events.length === 1);
  leader.thaw();
  leader.page.fire('resume');
  await world.until('all', () => leader.events.length === 1, 3_000);
});

test('a follower that freezes leaves the queue: the lock is not granted to who can not use it', async () => {
  const { world, browser } = await start(3);
  const leader = browser.leader();
  const [frozen, other] = browser.tabs.filter((tab) => tab !== leader);
  frozen?.page.fire('freeze');
  await world.settle();
  frozen?.freeze();
  leader.crash();
  await world.until('the other leads', () => other?.snapshot().isLeader === true, 100);
});

test('the machine slept: the connection is given up, and what was missed is fetched', async () => {
  for (const asleep of [26_000, 3_600_000]) {
    const { world, browser, server } = await start(2);
    // What is under way will not be answered, and nobody says so.
    server.intercept = (r) => (r.path === 'subscribe' ? 'hang' : undefined);
    server.publish(1);
    await world.until('one', () => browser.tabs.every((tab) => tab.events.length === 1));
    await world.advance(1_000); // the next poll is there by now
    world.sleep(asleep);
    server.publish(2);
    server.intercept = () => undefined;
    await world.until('the others', () => browser.tabs.every((tab) => tab.events.length === 3), 6_000);
    expect(browser.leaders().length).toBe(1);
  }
});

test('a hidden tab whose timers run once a minute has not slept', async () => {
  const { world, browser, server } = await start(1, { hiddenBackoffMs: [0, 0] });
  const tab = browser.leader();
  tab.page.show(false);
  await world.advance(5_000);
  const real = world.setTimer;
  world.setTimer = (owner, run, ms) =>
    real.call(world, owner, run, owner === tab ? Math.max(ms, 60_000 - (world.time % 60_000)) : ms);
  const before = server.requests.length;
  await world.advance(300_000);
  // Idle polls, none of them cut short.
  const polls = server.requests.slice(before).filter((r) => r.endedAt !== null);
  expect(polls.length).toBeGreaterThan(3);
  for (const { at, endedAt } of polls) expect((endedAt as number) - at).toBeGreaterThan(25_000);
  expect(tab.errors).toEqual([]);
});

test('the clock is set back or forward: nothing stops', async () => {
  for (const shift of [-86_400_000, 86_400_000]) {
    for (const without of [{}, { locks: true }]) {
      const { world, browser, server } = await open((w) => new Server(w), { tabs: 2, without });
      world.wallShift += shift;
      await world.advance(30_000);
      expect(browser.leaders().length).toBe(1);
      server.publish(1);
      await world.until('both have it', () => browser.tabs.every((tab) => tab.events.length === 1), 5_000);
      void browser.leader().client.close();
      await world.until('the other leads', () => browser.leaders().length === 1, 25_000);
    }
  }
});

// ---- the switch ----

test('enabled: false, a function or a flag that turns: nothing runs, and it comes back', async () => {
  let on = true;
  let turn = () => {};
  const flag: Flag = Object.assign(() => on, {
    subscribe(f: () => void) {
      turn = f;
      return () => {
        turn = () => {};
      };
    },
  });
  const { world, browser, server } = await start(2, { enabled: flag });
  const tab = browser.tabs[1] as Tab; // the flag holds one listener: the last tab's
  on = false;
  turn();
  await world.settle();
  expect(tab.snapshot()).toMatchObject({ status: 'disabled', role: 'none' });
  // A function without subscribe is asked every few seconds.
  await world.advance(5_100);
  expect(browser.tabs.map((t) => t.snapshot().status)).toEqual(['disabled', 'disabled']);
  expect(server.waiting()).toBe(0);
  expect(browser.locks.count()).toBe(0);
  const sent = server.requests.length;
  await world.advance(100_000);
  expect(server.requests.length).toBe(sent);
  on = true;
  server.publish(1);
  await world.until(
    'back, with what was missed',
    () => browser.tabs.every((t) => t.events.length === 1),
    6_000,
  );
});

test('left out, enabled is true', async () => {
  const { browser } = await start(1, {});
  expect(browser.leaders().length).toBe(1);
});

test('ready resolves when the server was heard, and rejects when that can not be', async () => {
  const { world, browser, tabs } = await start(1);
  await tabs[0]?.client.ready();
  browser.session = null;
  const waiting = browser.tab();
  const abort = new AbortController();
  const results: string[] = [];
  waiting.client.ready({ signal: abort.signal }).catch((e) => results.push(`aborted ${e.message}`));
  waiting.client.ready().catch((e) => results.push(e.code));
  await world.settle();
  expect(results).toEqual([]);
  abort.abort(new Error('by me'));
  await world.settle();
  void waiting.client.close();
  await world.settle();
  expect(results).toEqual(['aborted by me', 'gone']);
});

test('listeners come and go, by function and by signal, while events are told', async () => {
  const { world, server, tabs } = await start(1);
  const { client } = tabs[0] as Tab;
  const heard: string[] = [];
  const abort = new AbortController();
  const off = client.on('events', () => {
    heard.push('a');
    off();
  });
  client.on('events', () => heard.push('b'), { signal: abort.signal });
  client.on('events', () => heard.push('never'), { signal: AbortSignal.abort() });
  server.publish(1);
  await world.advance(100);
  abort.abort();
  off();
  server.publish(1);
  await world.advance(100);
  expect(heard).toEqual(['a', 'b']);
});

test('a listener that stops the client in the middle of a batch stops it', async () => {
  const { world, browser, server } = await start(2);
  const leader = browser.leader();
  leader.client.on('events', () => leader.client.stop());
  server.publish(1);
  await world.advance(100);
  expect(leader.snapshot().status).toBe('idle');
  await world.until('the other leads', () => browser.leaders().length === 1);
  leader.client.start();
  server.publish(1);
  await world.until('the second', () => leader.events.length === 2, 2_000);
});

test('nothing is touched before start, and importing needs no browser', async () => {
  const { createRealtimeClient } = await import('../src/index.js');
  let asked = 0;
  const client = createRealtimeClient({
    domain: 'tasks',
    sessionKey: () => String(asked++),
    getToken: () => String(asked++),
    fetch: () => Promise.reject(asked++),
  });
  expect(client.getSnapshot()).toMatchObject({ status: 'idle', role: 'none' });
  await client.close();
  expect(asked).toBe(0);
  expect(client.getSnapshot().status).toBe('closed');
});

test('closed before its catching up has begun: that asks for no token, and close() waits for none', async () => {
  const { world, browser } = await start(2);
  let asked = 0;
  const tab = browser.tab({
    getToken: () => {
      asked++;
      return new Promise(() => {});
    },
  });
  await world.until('it follows', () => tab.snapshot().cursor !== null);
  const missed = { type: 'events', from: 'log1-5', to: 'log1-6', events: [] };
  browser.channels.inject('tasks-events', { v: 1, k: 'org-1/u-1', tab: 'x', ...missed });
  let closed = false;
  void tab.client.close().then(() => {
    closed = true;
  });
  await world.advance(100);
  expect([closed, asked]).toEqual([true, 0]);
});
