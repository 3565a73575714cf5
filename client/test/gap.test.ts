// What is missed is replayed from the log, or told.
import { expect, test } from 'vitest';
import type { RealtimeOptions } from '../src/index.js';
import { open, type Tab } from './fake/browser.js';
import { problem, type Seen, Server } from './fake/server.js';

const start = (tabs: number, options: Partial<RealtimeOptions> = {}) =>
  open((world) => new Server(world), { tabs, options });

test('evicted: the log is read from the cursor that was sent, page by page, then polled on', async () => {
  const { world, browser, server } = await start(2);
  server.historyPage = 3;
  const [leader, follower] = [browser.leader(), browser.follower()];
  leader.page.connect(false);
  server.publish(10);
  server.inMemoryFrom = 11;
  await world.advance(1_000);
  leader.page.connect(true);
  await world.until(
    'both have all',
    () => [leader, follower].every((tab) => tab.events.length === 10),
    3_000,
  );
  expect(server.requests.filter((r) => r.path === 'history').map((r) => [r.tab, r.cursor])).toEqual([
    [leader.id, 'log1-0'],
    [leader.id, 'log1-3'],
    [leader.id, 'log1-6'],
    [leader.id, 'log1-9'],
  ]);
  expect([leader.gaps, follower.gaps]).toEqual([['first'], ['first']]);
  expect(leader.seqs()).toEqual(follower.seqs());
  server.publish(1);
  await world.until('on', () => follower.events.length === 11, 500);
});

test('a failure while the log is read is tried again, and nothing is given up', async () => {
  const { world, server, tabs } = await start(1);
  const [tab] = tabs;
  let failures = 2;
  server.intercept = (r) => (r.path === 'history' && failures-- > 0 ? 'network' : undefined);
  server.publish(1);
  await world.advance(100);
  server.restore('log1', 1);
  tab?.client.stop();
  server.publish(5);
  server.inMemoryFrom = 7;
  tab?.client.start();
  await world.until('all', () => tab?.events.length === 6, 20_000);
  expect(tab?.gaps).toEqual(['first']);
});

test('a log that can not be read: only then the gap is told, in all tabs, and it goes on after it', async () => {
  for (const answer of ['network', problem(404, 'not_found'), problem(500, 'internal')] as const) {
    const { world, browser, server } = await start(2);
    server.intercept = (r) =>
      r.path !== 'history' ? undefined : typeof answer === 'string' ? answer : answer.clone();
    for (const tab of browser.tabs) tab.page.connect(false);
    server.publish(4);
    server.inMemoryFrom = 5;
    for (const tab of browser.tabs) tab.page.connect(true);
    await world.until('told', () => browser.tabs.every((tab) => tab.gaps.at(-1) === 'evicted'), 30_000);
    server.publish(1);
    await world.until('on', () => browser.tabs.every((tab) => tab.events.length === 1), 5_000);
    expect(browser.tabs.map((tab) => tab.gaps)).toEqual([
      ['first', 'evicted'],
      ['first', 'evicted'],
    ]);
  }
});

test('more than ten thousand events: fetching anew is cheaper', async () => {
  const { world, server, tabs } = await start(1);
  const [tab] = tabs;
  tab?.client.stop();
  server.publish(10_500);
  server.inMemoryFrom = 10_500;
  tab?.client.start();
  await world.until('told', () => tab?.gaps.length === 2, 10_000);
  expect(tab?.gaps).toEqual(['first', 'evicted']);
  expect(server.requests.filter((r) => r.path === 'history').length).toBe(50);
  server.publish(1);
  await world.until('on', () => tab?.seqs().at(-1) === 10_501, 500);
});

test('expired: told in all tabs that are behind it', async () => {
  const { world, browser, server } = await start(2);
  for (const tab of browser.tabs) tab.page.connect(false);
  server.publish(9);
  server.inLogFrom = server.inMemoryFrom = 8;
  for (const tab of browser.tabs) tab.page.connect(true);
  await world.until('told', () => browser.tabs.every((tab) => tab.gaps.at(-1) === 'expired'), 3_000);
  for (const tab of browser.tabs) expect(tab.snapshot().cursor).toBe('log1-9');
});

test('another log, or a past of this one: all tabs are told, and follow the new numbers', async () => {
  for (const [logId, head] of [
    ['log2', 3],
    ['log1', 3],
  ] as const) {
    const { world, browser, server } = await start(2);
    server.publish(6);
    await world.until('six', () => browser.tabs.every((tab) => tab.events.length === 6));
    server.restore(logId, head);
    for (const tab of browser.tabs) tab.page.connect(false);
    await world.advance(100);
    for (const tab of browser.tabs) tab.page.connect(true);
    await world.until('told', () => browser.tabs.every((tab) => tab.gaps.at(-1) === 'log'), 3_000);
    // The numbers, and even the ids, of what was taken back come again.
    server.publish(2);
    await world.until('new ones', () => browser.tabs.every((tab) => tab.events.length === 8), 3_000);
    for (const tab of browser.tabs) expect(tab.seqs().slice(6)).toEqual([4, 5]);
  }
});

test('a follower that was frozen finds the hole by the cursors, and fetches what it missed', async () => {
  const { world, browser, server } = await start(2, { preferVisibleLeader: false });
  const [leader, follower] = [browser.leader(), browser.follower()];
  follower.deaf = true;
  server.publish(3);
  await world.until('the leader has them', () => leader.events.length === 3);
  follower.deaf = false;
  server.publish(1);
  // Long before the next heartbeat could tell.
  await world.until('all four', () => follower.events.length === 4, 200);
  expect(follower.seqs()).toEqual([1, 2, 3, 4]);
  expect(server.subscribes(follower).map((r) => [r.path, r.cursor])).toEqual([
    ['subscribe?wait=0', 'log1-0'],
  ]);
  expect(follower.sources).toEqual(['catchup']);
});

test('a lost broadcast is seen at the next heartbeat', async () => {
  const { world, browser, server } = await start(2);
  const [leader, follower] = [browser.leader(), browser.follower()];
  follower.deaf = true;
  server.publish(1);
  await world.until('the leader has it', () => leader.events.length === 1);
  follower.deaf = false;
  await world.until('the follower too', () => follower.events.length === 1, 2_100);
});

test('a follower whose request fails tries again, ever more seldom', async () => {
  const { world, browser, server } = await start(2);
  const [leader, follower] = [browser.leader(), browser.follower()];
  server.intercept = (r) => (r.tab === follower.id ? 'network' : undefined);
  follower.deaf = true;
  server.publish(1);
  await world.until('the leader has it', () => leader.events.length === 1);
  follower.deaf = false;
  await world.advance(30_000);
  expect(follower.events).toEqual([]);
  expect(server.subscribes(follower).length).toBeLessThan(7);
  server.intercept = () => undefined;
  await world.until('at last', () => follower.events.length === 1, 40_000);
});

test('evicted for a follower: it reads the log itself', async () => {
  const { world, browser, server } = await start(2);
  const [leader, follower] = [browser.leader(), browser.follower()];
  follower.deaf = true;
  server.publish(4);
  await world.until('the leader has them', () => leader.events.length === 4);
  server.inMemoryFrom = 5;
  follower.deaf = false;
  await world.until('all', () => follower.events.length === 4, 5_000);
  expect(server.requests.some((r) => r.path === 'history' && r.tab === follower.id)).toBe(true);
  expect(follower.gaps).toEqual(['first']);
});

test('a tab that opens with a cursor behind the leader fetches what lies between', async () => {
  const { world, browser, server } = await start(1);
  server.publish(5);
  await world.until('five', () => browser.leader().events.length === 5);
  const tab = browser.tab({ initialCursor: 'log1-2' });
  await world.until('its three', () => tab.events.length === 3, 1_000);
  expect(tab.seqs()).toEqual([3, 4, 5]);
  expect(tab.gaps).toEqual([]);
});

test("a tab that opens without a cursor takes the leader's, and is told to fetch once", async () => {
  const { world, browser, server } = await start(1);
  server.publish(5);
  await world.until('five', () => browser.leader().events.length === 5);
  const tab = browser.tab();
  await browser.live();
  expect(tab.gaps).toEqual(['first']);
  expect(tab.snapshot().cursor).toBe('log1-5');
  expect(server.requests.filter((r) => r.tab === tab.id)).toEqual([]);
});

test('rows read after events that the leader has still to pass on: those are dropped', async () => {
  const { world, browser, server } = await start(1);
  server.publish(5);
  const tab = browser.tab({ initialCursor: 'log1-4' });
  await world.until('the fifth', () => tab.events.length === 1, 1_000);
  expect(tab.seqs()).toEqual([5]);
});

test('an event id that comes again under another number is dropped', async () => {
  const { world, server, tabs } = await start(1);
  server.publish(1, { eventId: 'same' });
  server.publish(1, { eventId: 'same' });
  server.publish(1, { eventId: 'other' });
  await world.until('two of three', () => tabs[0]?.snapshot().cursor === 'log1-3', 500);
  expect(tabs[0]?.seqs()).toEqual([1, 3]);
});

test('gaps are told to telemetry', async () => {
  const told: string[] = [];
  const { world, server, tabs } = await start(1, {
    telemetry: { send: (e) => void told.push(`${e.eventType} ${e.data.reason}`) },
    telemetrySampleRate: 1,
  });
  server.restore('log9', 0);
  tabs[0]?.client.stop();
  tabs[0]?.client.start();
  await world.until('told', () => told.includes('gap log'), 1_000);
});

test('more comes while a long log is read: given up, it goes on from where it has got to', async () => {
  const { world, server, tabs } = await start(1);
  const [tab] = tabs as [Tab];
  server.historyPage = 1;
  tab.client.stop();
  server.publish(45);
  server.inMemoryFrom = 46;
  server.intercept = (r) => {
    if (r.path === 'history' && server.log.length < 60) server.publish(1);
    return undefined;
  };
  tab.client.start();
  await world.until('given up, and on', () => tab.seqs().at(-1) === 60);
  expect(tab.holes.at(-1), 'nothing lies between the 50 pages and what came after').toEqual([50, 50]);
  expect(tab.seqs()).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
});

test('a follower that catches up keeps the pause that the server asks for', async () => {
  for (const refusal of ['refused', 'full'] as const) {
    const { world, browser, server } = await start(2);
    const follower = browser.follower();
    follower.deaf = true;
    server.publish(1);
    await world.advance(100);
    follower.deaf = false;
    let refusals = 1;
    server.intercept = (r) => {
      if (r.tab !== follower.id || refusals-- <= 0) return undefined;
      if (refusal === 'refused') return problem(503, 'log_unavailable', { 'retry-after': '30' });
      const answer = { events: [], cursor: 'log1-0', gap: null, overloaded: true };
      return new Response(JSON.stringify(answer), { headers: { 'Retry-After': '30' } });
    };
    await world.until('it has it', () => follower.events.length === 1);
    const [first, second] = server.subscribes(follower) as [Seen, Seen];
    expect(second.at - first.at, refusal).toBeGreaterThanOrEqual(30_000);
  }
});
