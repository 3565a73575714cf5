// What tabs tell each other, and whom they listen to.
import { expect, test } from 'vitest';
import type { RealtimeOptions } from '../src/index.js';
import { open, Tab } from './fake/browser.js';
import { problem, Server } from './fake/server.js';

const start = (tabs: number, options: Partial<RealtimeOptions> = {}) =>
  open((world) => new Server(world), { tabs, options });
const event = (seq: number, more = {}) => ({
  eventId: `x${seq}`,
  eventType: 'T',
  timestamp: 1,
  orgId: 'o',
  payload: 1,
  seq,
  ...more,
});

test("followers show the leader's state: live, its failures, and when it tries again", async () => {
  const { world, browser, server } = await start(3);
  for (const tab of browser.tabs) expect(tab.snapshot()).toMatchObject({ status: 'live', isConnected: true });
  server.intercept = () => problem(503, 'broker_down', { 'retry-after': '20' });
  server.publish(1);
  await world.advance(200);
  const [leader, follower] = [browser.leader().snapshot(), browser.follower().snapshot()];
  for (const key of ['status', 'attempt', 'nextRetryAt', 'lastContactAt', 'isConnected'] as const) {
    expect(follower[key], key).toEqual(leader[key]);
  }
  expect(follower).toMatchObject({ status: 'degraded', isConnected: false, attempt: 1 });
  expect(follower.error).toMatchObject({ code: 'overloaded', status: 503, message: leader.error?.message });
});

test('a follower has its own lastEventAt, and events that came by broadcast', async () => {
  const { world, browser, server } = await start(2);
  await world.advance(500);
  server.publish(1);
  await world.until('it has it', () => browser.follower().events.length === 1);
  const { lastEventAt } = browser.follower().snapshot();
  expect(lastEventAt).toBeGreaterThan(world.wall() - 100);
  expect(lastEventAt).toBeLessThanOrEqual(world.wall());
  expect(browser.follower().sources).toEqual(['broadcast']);
});

test('the snapshot is the same object until something in it changes', async () => {
  const { world, browser } = await start(2);
  const follower = browser.follower();
  let changes = 0;
  const off = follower.client.subscribe(() => changes++);
  const before = follower.snapshot();
  await world.advance(20_000); // ten heartbeats
  expect(follower.snapshot()).toBe(before);
  expect(changes).toBe(0);
  off();
});

test("a follower's poke reaches the leader", async () => {
  const { world, browser, server } = await start(2);
  server.intercept = () => 'network';
  server.publish(1);
  await world.advance(100_000);
  const before = server.requests.length;
  browser.follower().client.poke();
  await world.advance(100);
  expect(server.requests.length).toBe(before + 1);
});

test("another session's tab has its own leader, and hears nothing of this one", async () => {
  const { world, browser, server } = await start(2);
  const other = browser.tab({ sessionKey: () => 'org-2/u-9' });
  await world.until('it leads too', () => other.snapshot().isLeader);
  expect(browser.leaders().length).toBe(2);
  server.intercept = (r) => (r.tab === other.id ? 'hang' : undefined);
  server.publish(2);
  await world.until('the two have them', () =>
    browser.tabs.slice(0, 2).every((tab) => tab.events.length === 2),
  );
  expect(other.events).toEqual([]);
});

test('another domain too', async () => {
  const { world, browser } = await start(1);
  const other = browser.tab({ domain: 'rooms' });
  await world.until('both lead', () => browser.leaders().length === 2);
  expect(other.snapshot().isLeader).toBe(true);
});

test('somebody else signs in: the old session ends in that moment, the new one starts with nothing of it', async () => {
  const { world, browser, server } = await start(2);
  server.publish(1);
  await world.until('both have it', () => browser.tabs.every((tab) => tab.events.length === 1));
  browser.session = 'org-2/u-2';
  browser.token = 'token-b';
  server.publish(1); // the answer to the old session's poll is under way
  await world.until(
    'all live again',
    () =>
      browser.leaders().length === 1 &&
      browser.tabs.every((tab) => tab.snapshot().status === 'live' && tab.gaps.length > 1),
    20_000,
  );
  for (const tab of browser.tabs) {
    expect(tab.seqs()).toEqual([1]);
    expect(tab.gaps).toEqual(['first', 'first']);
  }
  const after = server.requests.findIndex((r) => r.token === 'token-b');
  expect(server.requests.slice(after).every((r) => r.token === 'token-b')).toBe(true);
});

test('nobody is signed in any more: the poll is aborted at once, in the leader and between polls alike', async () => {
  const { world, browser, server } = await start(2);
  browser.session = browser.token = null;
  for (const tab of browser.tabs) tab.client.poke();
  await world.settle();
  expect(server.waiting()).toBe(0);
  const sent = server.requests.length;
  await world.advance(60_000);
  expect(server.requests.length).toBe(sent);
  expect(browser.tabs.map((tab) => tab.snapshot().status)).toEqual(['paused', 'paused']);
  expect(browser.locks.count()).toBe(0);
});

test('a scope filters what a tab gets, not what its neighbours get; events of the whole org reach all', async () => {
  const { world, browser, server } = await start(1, { scope: { propertyId: 'p-1' } });
  const all = browser.tab();
  browser.tab({ scope: { propertyId: 'p-2' } });
  await browser.live();
  server.publish(1, { propertyId: 'p-1' });
  server.publish(1, { propertyId: 'p-2' });
  server.publish(1);
  await world.until('all', () => all.events.length === 3);
  await world.settle();
  expect(browser.tabs.map((tab) => tab.seqs())).toEqual([
    [1, 3],
    [1, 2, 3],
    [2, 3],
  ]);
  expect(browser.tabs.map((tab) => tab.snapshot().cursor)).toEqual(['log1-3', 'log1-3', 'log1-3']);
  expect(server.waiting()).toBe(1);
});

test('another scope keeps the cursor, and says that its past was not listened to', async () => {
  const { world, browser, server, tabs } = await start(1, { scope: { propertyId: 'p-1' } });
  const [tab] = tabs;
  server.publish(1, { propertyId: 'p-2' });
  await world.until('past it', () => tab?.snapshot().cursor === 'log1-1');
  tab?.client.setScope({ propertyId: 'p-1' });
  expect(tab?.gaps).toEqual(['first']);
  tab?.client.setScope({ propertyId: 'p-2' });
  expect(tab?.gaps).toEqual(['first', 'first']);
  expect(tab?.snapshot().cursor).toBe('log1-1');
  server.publish(1, { propertyId: 'p-2' });
  await world.until('of the new one', () => tab?.events.length === 1);
  expect(browser.leaders().length).toBe(1);
  const wide = await start(1);
  wide.tabs[0]?.client.setScope({ propertyId: 'p-1' });
  expect(wide.tabs[0]?.gaps, 'a part of what was listened to').toEqual(['first']);
});

test('what is not of the protocol, of another version or another session is not listened to', async () => {
  const { world, browser } = await start(2);
  const follower = browser.follower();
  const good = {
    v: 1,
    k: 'org-1/u-1',
    tab: 'ghost',
    type: 'events',
    from: 'log1-0',
    to: 'log1-1',
    events: [event(1)],
  };
  const bad: unknown[] = [
    null,
    'x',
    7,
    [],
    {},
    { ...good, v: 2 },
    { ...good, k: 'org-2/u-1' },
    { ...good, tab: 7 },
    { ...good, type: 'nonsense' },
    { ...good, type: 'constructor' },
    { ...good, type: '__proto__' },
    { ...good, from: 'nowhere' },
    { ...good, to: null },
    { ...good, events: 'x' },
    { ...good, events: [{ eventId: 'x' }] },
    { ...good, type: 'hb', state: null },
    { ...good, type: 'hb', state: { cursor: 'bad' } },
    { ...good, type: 'gap', to: '-' },
    { type: 'events', events: [event(1)], from: 'tab' }, // the first hook's form
  ];
  for (const data of bad) browser.channels.inject('tasks-events', data);
  await world.advance(100);
  expect(follower.events).toEqual([]);
  expect(follower.gaps).toEqual(['first']);
  expect(follower.errors).toEqual([]);
  expect(browser.leader().snapshot().cursor).toBe('log1-0');
  browser.channels.inject('tasks-events', good);
  expect(follower.seqs()).toEqual([1]);
});

test('a schema decides what reaches the listeners: a function, or a Standard Schema', async () => {
  const standard = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => {
        const e = value as ReturnType<typeof event>;
        return e.seq % 2 ? { value: { ...e, payload: 'checked' } } : { issues: [{ message: 'even' }] };
      },
    },
  };
  for (const schema of [
    standard,
    (raw: unknown) =>
      (raw as { seq: number }).seq % 2 ? { ...(raw as ReturnType<typeof event>), payload: 'checked' } : null,
    (raw: unknown) => {
      if ((raw as { seq: number }).seq % 2)
        return { ...(raw as ReturnType<typeof event>), payload: 'checked' };
      throw new Error('even');
    },
  ]) {
    const { world, browser, server } = await start(2, { schema });
    server.publish(3);
    await world.until('the odd ones', () => browser.tabs.every((tab) => tab.events.length === 2));
    for (const tab of browser.tabs) {
      expect(tab.events.map((e) => [e.seq, e.payload])).toEqual([
        [1, 'checked'],
        [3, 'checked'],
      ]);
      expect(tab.codes()).toEqual(['invalid_event']);
      expect(tab.snapshot().cursor).toBe('log1-3');
    }
  }
});

test('no token and no payload is in what tabs say, or in an error', async () => {
  const { world, browser, server } = await start(2);
  server.intercept = (r) => (r.path === 'history' ? undefined : problem(401, 'token_invalid'));
  server.publish(1, { payload: 'secret-payload' });
  await world.advance(30_000);
  expect(JSON.stringify(browser.channels.said)).not.toContain('token-1');
  for (const tab of browser.tabs) {
    const shown = JSON.stringify([tab.snapshot(), tab.errors.map(String)]);
    expect(shown).not.toContain('token-1');
    expect(shown).not.toContain('secret-payload');
  }
});

test('two leaders at once, as each for itself may be: who follows does not greet them in turn for ever', async () => {
  const { world, browser } = await open((w) => new Server(w), { tabs: 3 });
  const { said } = browser.channels;
  const state = { ...browser.leader().snapshot(), visible: true, error: null };
  const hb = { v: 1, k: 'org-1/u-1', tab: 'another', type: 'hb', state };
  const another = browser.channels.open('tasks-events', new Tab(browser, 'another', {}));
  another.onmessage = ({ data }) => {
    if (said.length > 1_000) throw new Error('for ever');
    if ((data as { type: string }).type === 'hello') another.postMessage(hb);
  };
  said.length = 0;
  another.postMessage(hb);
  await world.advance(10_000);
  expect(said.filter(({ type }) => type === 'hello').length).toBeLessThan(30);
});
