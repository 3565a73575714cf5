// The lease: a note in storage, and what may stand in it.
import { expect, test } from 'vitest';
import { browserEnv } from '../src/env.js';
import { createLease } from '../src/lease.js';
import { leaseElection } from '../src/lease-election.js';
import { FakeStorage, open } from './fake/browser.js';
import { Server } from './fake/server.js';
import { nobody, World } from './fake/world.js';

const key = 'tasks-leader-lease:org-1/u-1';

function lease(note?: unknown, tabId = 'me') {
  const world = new World();
  const storage = new FakeStorage();
  if (note !== undefined) storage.setItem(key, typeof note === 'string' ? note : JSON.stringify(note));
  const env = browserEnv({ wall: () => world.wall() });
  return { world, storage, lease: createLease(env, storage, key, tabId, 10_000) };
}

const now = new World().wall();

test.each([
  ['somebody else leads', { tabId: 'other', until: now + 5_000 }, 'other'],
  ['its time is over', { tabId: 'other', until: now - 1 }, null],
  [
    'a stamp from the future binds nobody: the clock was set back',
    { tabId: 'other', until: now + 60_000 },
    null,
  ],
  ['corrupt: not JSON', '{', null],
  ['corrupt: another shape', { timestamp: now }, null],
  ['corrupt: null', 'null', null],
  ['nothing there', undefined, null],
])('%s', (_name, note, holder) => {
  expect(lease(note).lease.holder()).toBe(holder);
});

test('a tab knows its own lease, and drops no other', () => {
  const { lease: mine, storage, world } = lease();
  mine.write();
  expect(mine.holder()).toBe('me');
  world.time += 10_001;
  expect(mine.holder()).toBe(null);
  storage.setItem(key, JSON.stringify({ tabId: 'other', until: world.wall() + 1_000 }));
  mine.drop();
  expect(mine.holder()).toBe('other');
});

test('storage that throws is no lease, and no error', () => {
  const { lease: mine, storage } = lease();
  storage.broken = true;
  mine.write();
  mine.drop();
  expect(mine.holder()).toBe(null);
});

test('two tabs that claim in the same moment: one leads', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { world, browser } = await open((w) => new Server(w), { seed, without: { locks: true } });
    for (let i = 0; i < 4; i++) browser.tab();
    await world.advance(1_000);
    expect(browser.leaders().length, `seed ${seed}`).toBe(1);
    expect(
      browser.tabs.flatMap((tab) => tab.roles),
      `seed ${seed}`,
    ).toEqual(['leader acquired']);
  }
});

test('two tabs that claim before either sees the other: one leads', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World(seed);
    // Of another process' writes a tab learns some time later.
    const writes: Array<{ by: string; at: number; value: string | null }> = [];
    const view = (by: string) => ({
      getItem: () => writes.filter((w) => w.by === by || w.at + 30 <= world.time).at(-1)?.value ?? null,
      setItem: (_key: string, value: string) => void writes.push({ by, at: world.time, value }),
      removeItem: () => void writes.push({ by, at: world.time, value: null }),
    });
    const led: string[] = [];
    const elections = ['a', 'b', 'c'].map((tabId) => {
      const env = browserEnv({
        wall: () => world.wall(),
        setTimeout: (run, ms) => world.setTimer(nobody, run, ms),
        clearTimeout: (timer) => world.clearTimer(timer),
        random: world.random,
      });
      const hooks = { onLead: () => void led.push(tabId), onLost: () => void led.push(`${tabId} lost`) };
      const note = createLease(env, view(tabId), key, tabId, 10_000);
      return leaseElection(env, note, tabId, [3_000, 5_000], hooks);
    });
    for (const election of elections) {
      election.join();
      await world.advance(5);
    }
    await world.advance(500);
    for (const election of elections) election.renew();
    expect(led.length, `seed ${seed}: ${led}`).toBe(1);
    await Promise.all(elections.map((election) => election.leave()));
  }
});

test('a leader that renews late, and finds nobody else, goes on leading', async () => {
  const { world, browser } = await open((w) => new Server(w), { tabs: 1, without: { locks: true } });
  const tab = browser.leader();
  tab.freeze();
  await world.advance(60_000);
  tab.thaw();
  await world.advance(1_000);
  expect(tab.snapshot().isLeader).toBe(true);
  expect(JSON.parse(browser.storage.getItem(key) as string)).toMatchObject({ tabId: tab.id });
});

test('a leader that was frozen while another took the lease steps down', async () => {
  const { world, browser } = await open((w) => new Server(w), { tabs: 2, without: { locks: true } });
  const [old, next] = [browser.leader(), browser.follower()];
  old.freeze();
  await world.until('taken over', () => next.snapshot().isLeader, 20_000);
  old.thaw();
  await world.until('stepped down', () => !old.snapshot().isLeader, 5_000);
  expect(browser.leader()).toBe(next);
});

test('closing drops the lease, so that the next need not wait for its end', async () => {
  const { world, browser } = await open((w) => new Server(w), { tabs: 1, without: { locks: true } });
  void browser.leader().client.close();
  await world.settle();
  expect(browser.storage.getItem(key)).toBe(null);
});

test('storage that breaks later: no lease, and still an answer for each tab', async () => {
  const { world, browser } = await open((w) => new Server(w), { without: { locks: true } });
  browser.storage.broken = true;
  const tabs = [browser.tab(), browser.tab()];
  await world.until('live', () => tabs.every((tab) => tab.snapshot().status === 'live'));
  browser.server.publish(3);
  await world.advance(10_000);
  for (const tab of tabs) expect(tab.seqs()).toEqual([1, 2, 3]);
});
