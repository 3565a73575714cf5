// Who leads, and how the lead changes hands.
import { expect, test } from 'vitest';
import type { Locks, RealtimeOptions } from '../src/index.js';
import { lockElection } from '../src/leader-lock.js';
import { FakeLocks, open, type Without } from './fake/browser.js';
import { Server } from './fake/server.js';
import { nobody, World } from './fake/world.js';

const start = (
  tabs: number,
  more: { without?: Without; options?: Partial<RealtimeOptions>; seed?: number } = {},
) => open((world) => new Server(world), { tabs, ...more });

for (const [name, without] of Object.entries({ 'Web Locks': {}, 'the lease': { locks: true } })) {
  test(`${name}: of five tabs one polls, and goes on to`, async () => {
    const { world, browser, server } = await start(5, { without });
    const leader = browser.leader();
    const before = server.requests.length;
    for (let t = 0; t < 60_000; t += 100) {
      await world.advance(100);
      expect(server.waiting()).toBeLessThanOrEqual(1);
      expect(browser.leaders()).toEqual([leader]);
    }
    // Two idle polls and a bit, all by that tab.
    expect(server.requests.slice(before).map((r) => r.tab)).toEqual([leader.id, leader.id]);
  });

  test(`${name}: the tab that leads is closed, and the next leads at once`, async () => {
    const { world, browser, server } = await start(3, {
      without,
      options: { followerCheckMs: [3_000, 5_000] },
    });
    const leader = browser.leader();
    await world.advance(5_000);
    void leader.client.close();
    const took = await world.until('another leads', () => browser.leaders().some((tab) => tab !== leader));
    expect(took).toBeLessThan(200);
    const next = browser.leader();
    await world.until('it polls', () => server.subscribes(next).length > 0);
    expect(server.waiting()).toBe(1);
  });
}

test('a crashed leader: the browser grants the lock, nothing is lost', async () => {
  const { world, browser, server } = await start(3);
  const leader = browser.leader();
  leader.mute = true; // it has the events, and dies before the others do
  server.publish(3);
  await world.until('the leader has them', () => leader.events.length === 3);
  leader.crash();
  await world.until('another leads', () => browser.leaders().length === 1);
  const alive = browser.tabs.filter((tab) => tab !== leader);
  await world.until('all have them', () => alive.every((tab) => tab.events.length === 3), 2_000);
  for (const tab of alive) expect(tab.seqs()).toEqual([1, 2, 3]);
  expect(browser.leader().roles).toEqual(['leader takeover']);
});

test('a new leader starts from what it has itself applied, and shows nothing twice', async () => {
  const { world, browser, server } = await start(2);
  const [leader, next] = [browser.leader(), browser.follower()];
  server.publish(2);
  await world.until('both have them', () => next.events.length === 2);
  leader.crash();
  await world.until('it leads', () => next.snapshot().isLeader);
  await world.until('it asks', () => server.subscribes(next).length > 0);
  expect(server.subscribes(next)[0]?.cursor).toBe('log1-2');
  server.publish(1);
  await world.until('the third', () => next.events.length === 3);
  expect(next.seqs()).toEqual([1, 2, 3]);
});

test('a frozen leader is robbed, by a visible tab, after lease, ping and stale lease, and only then', async () => {
  const { world, browser, server } = await start(3);
  const leader = browser.leader();
  const hidden = browser.follower();
  hidden.page.show(false);
  const visible = browser.tabs.find((tab) => tab !== leader && tab !== hidden);
  await world.advance(1_000);
  leader.freeze();
  server.publish(2);
  const took = await world.until('robbed', () => visible?.snapshot().isLeader === true, 20_000);
  expect(took).toBeGreaterThan(8_000);
  expect(took).toBeLessThan(10_000 + 1_500 + 500);
  expect(visible?.roles).toEqual(['leader steal']);
  expect(hidden.snapshot().isLeader).toBe(false);
  await world.until('nothing lost', () => visible?.events.length === 2 && hidden.events.length === 2);
});

test('a tab that gave its lead away may take it back at once from one that freezes', async () => {
  const { world, browser } = await start(2);
  const [first, next] = [browser.leader(), browser.follower()];
  first.page.show(false);
  await world.until('handed over', () => next.snapshot().isLeader, 10_000);
  expect(first.roles.at(-1)).toBe('follower handover');
  first.page.show(true);
  next.page.show(false);
  next.freeze();
  await world.until('taken back', () => first.snapshot().isLeader, 10_000 + 1_500 + 500);
});

test('a thawed leader steps down, catches up and shows nothing twice', async () => {
  const { world, browser, server } = await start(2);
  const [old, next] = [browser.leader(), browser.follower()];
  await world.advance(1_000);
  old.freeze();
  server.publish(2);
  await world.until('robbed', () => next.snapshot().isLeader, 20_000);
  server.publish(2);
  await world.until('the new one has all', () => next.events.length === 4);
  old.thaw();
  await world.until('the old one too', () => old.events.length === 4, 10_000);
  expect(browser.leaders()).toEqual([next]);
  expect(old.seqs()).toEqual([1, 2, 3, 4]);
  expect(old.roles.at(-1)).toBe('follower lost');
  expect(server.waiting()).toBe(1);
});

test('a leader whose timers are throttled answers the ping, and is not robbed', async () => {
  const { world, browser } = await start(2, { options: { preferVisibleLeader: false } });
  const leader = browser.leader();
  leader.page.show(false);
  // Its heartbeat is put off for good; messages still reach it.
  const env = world.setTimer;
  world.setTimer = (owner, run, ms) =>
    env.call(world, owner, run, owner === leader && ms === 2_000 ? 60_000 : ms);
  await world.advance(120_000);
  expect(browser.leader()).toBe(leader);
  expect(browser.channels.said.some((m) => m.type === 'ping')).toBe(true);
  expect(browser.follower().snapshot().status).toBe('live');
});

test('with no tab visible nobody is robbed, however silent the leader', async () => {
  const { world, browser } = await start(3);
  const leader = browser.leader();
  for (const tab of browser.tabs) tab.page.show(false);
  leader.freeze();
  await world.advance(120_000);
  expect(browser.tabs.filter((tab) => tab.roles.includes('leader steal'))).toEqual([]);
  expect(browser.channels.said.some((m) => m.type === 'ping')).toBe(false);
});

test('a tab that can not hear a living leader does not rob it, but looks for itself', async () => {
  const { world, browser, server } = await start(2);
  const [leader, deaf] = [browser.leader(), browser.follower()];
  deaf.deaf = true;
  server.publish(2);
  await world.until('it found them itself', () => deaf.events.length === 2, 20_000);
  await world.advance(120_000);
  expect(browser.leader()).toBe(leader);
  expect(deaf.sources).toContain('catchup');
  expect(server.subscribes(deaf).every((r) => r.path === 'subscribe?wait=0')).toBe(true);
});

test('two deaf tabs without a lease to go by rob each other once in 30 s at most, and ever more seldom', async () => {
  const { world, browser } = await start(2, { without: { storage: true } });
  for (const tab of browser.tabs) tab.deaf = true;
  const steals: number[] = [];
  for (const tab of browser.tabs) {
    tab.client.on('role', ({ how }) => {
      if (how === 'steal') steals.push(world.time);
    });
  }
  await world.advance(600_000);
  expect(steals.length).toBeGreaterThan(1);
  const gaps = steals.slice(1).map((at, i) => at - (steals[i] as number));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(30_000);
  expect(gaps.at(-1)).toBeGreaterThan(2 * (gaps[0] as number));
});

for (const [name, without] of Object.entries({ 'Web Locks': {}, 'the lease': { locks: true } })) {
  test(`${name}: a hidden leader hands over to a tab that has been visible for 2 s, and loses nothing`, async () => {
    const { world, browser, server } = await start(3, { without });
    const leader = browser.leader();
    const [other, next] = browser.tabs.filter((tab) => tab !== leader);
    other?.page.show(false);
    next?.page.show(false);
    await world.advance(1_000);
    leader.page.show(false);
    await world.advance(10_000);
    expect(browser.leader(), 'hidden, among hidden').toBe(leader);
    next?.page.show(true);
    await world.advance(1_500);
    expect(browser.leader(), 'not yet').toBe(leader);
    server.publish(1);
    await world.until('handed over', () => next?.snapshot().isLeader === true, 3_000);
    server.publish(1);
    await world.until('nothing lost', () => browser.tabs.every((tab) => tab.events.length === 2), 3_000);
    expect(next?.roles).toEqual(['leader handover']);
    expect(browser.leaders()).toEqual([next]);
    expect(server.waiting()).toBe(1);
  });
}

const claimOf = (tab: string) => ({ v: 1, k: 'org-1/u-1', tab, type: 'claim' });

test('a lead that was claimed and not taken goes on', async () => {
  const { world, browser, server } = await start(2);
  const leader = browser.leader();
  for (const tab of browser.tabs) tab.page.show(false);
  await world.advance(500);
  browser.channels.inject('tasks-events', claimOf('a tab that is gone by now'));
  await world.settle();
  expect(server.waiting()).toBe(0);
  await world.advance(2_100);
  expect(browser.leader()).toBe(leader);
  server.publish(1);
  await world.until('it polls again', () => leader.events.length === 1, 6_000);
});

test('a leader that is looked at gives the lead to nobody', async () => {
  const { world, browser, server } = await start(2);
  browser.channels.inject('tasks-events', claimOf('tab-2'));
  await world.settle();
  expect(browser.channels.said.some((m) => m.type === 'yield')).toBe(false);
  expect(server.waiting()).toBe(1);
});

test('a lock that is granted in the moment in which it is given up makes no leader', async () => {
  const world = new World();
  const locks = new FakeLocks(world);
  let led = 0;
  const hooks = { onLead: () => led++, onLost() {}, onUnavailable() {} };
  const election = lockElection(locks.of(nobody) as Locks, 'lock', null, hooks);
  election.join();
  await Promise.resolve(); // asked for; granted by the browser, and not yet told
  await Promise.resolve();
  const left = election.leave();
  await world.settle();
  await left;
  expect(led).toBe(0);
  expect(locks.count()).toBe(0);
});

test('preferVisibleLeader: false leaves the lead where it is', async () => {
  const { world, browser } = await start(2, { options: { preferVisibleLeader: false } });
  const leader = browser.leader();
  leader.page.show(false);
  await world.advance(30_000);
  expect(browser.leader()).toBe(leader);
});

test('locks that the browser refuses: the lease, and without storage each for itself', async () => {
  const refusing = { request: () => Promise.reject(new DOMException('no', 'SecurityError')) };
  const withLease = await start(2, { options: { env: { locks: refusing } } });
  expect(withLease.browser.leaders().length).toBe(1);
  const alone = await start(2, { without: { storage: true }, options: { env: { locks: refusing } } });
  await alone.world.until('both lead', () => alone.browser.leaders().length === 2);
  expect(alone.browser.tabs.every((tab) => tab.snapshot().solo)).toBe(true);
});

test('without a channel, or with one that throws, each tab polls for itself and says so', async () => {
  for (const options of [
    { env: { channel: null } },
    {
      env: {
        channel: () => {
          throw new DOMException('opaque', 'SecurityError');
        },
      },
    },
  ]) {
    const { world, browser, server } = await start(2, { options });
    server.publish(2);
    await world.until('both have them', () => browser.tabs.every((tab) => tab.events.length === 2));
    expect(browser.tabs.map((tab) => [tab.snapshot().solo, tab.snapshot().isLeader])).toEqual([
      [true, true],
      [true, true],
    ]);
  }
});
