// After a deploy the code that is loaded on demand may be gone: a page that was opened before goes on without it.
import { expect, test, vi } from 'vitest';
import { open } from './fake/browser.js';
import { Server } from './fake/server.js';

vi.mock('../src/streamer.js', () => {
  throw new Error('404');
});
vi.mock('../src/lease-election.js', () => {
  throw new Error('404');
});
vi.mock('../src/missing.js', () => {
  throw new Error('404');
});
vi.mock('../src/recovery.js', () => {
  throw new Error('404');
});

const start = (tabs: number, more: Parameters<typeof open>[1] = {}) =>
  open((w) => new Server(w), { tabs, ...more });

test("the stream's: polls", async () => {
  const { world, server, tabs } = await start(1, { options: { transport: 'auto' } });
  server.publish(2);
  await world.until('by poll', () => tabs[0]?.events.length === 2, 1_000);
  expect(tabs[0]?.snapshot()).toMatchObject({ status: 'live', transport: 'poll' });
});

test("the lease's: each tab for itself", async () => {
  const { world, server, tabs } = await start(1, { without: { locks: true } });
  server.publish(1);
  await world.until('it has it', () => tabs[0]?.events.length === 1, 1_000);
  expect(tabs[0]?.snapshot()).toMatchObject({ solo: true, isLeader: true });
});

test('that of a follower which missed something: it is told', async () => {
  const { world, browser, server } = await start(2);
  const [leader, follower] = [browser.leader(), browser.follower()];
  follower.deaf = true;
  server.publish(1);
  await world.until('the leader has it', () => leader.events.length === 1);
  follower.deaf = false;
  await world.until('told', () => follower.gaps.at(-1) === 'evicted', 3_000);
  server.publish(1);
  await world.until('and on', () => follower.seqs().at(-1) === 2, 1_000);
});

test("the log's: the gap is told, in all tabs", async () => {
  const { world, browser, server } = await start(2);
  for (const tab of browser.tabs) tab.page.connect(false);
  server.publish(3);
  server.inMemoryFrom = 4;
  for (const tab of browser.tabs) tab.page.connect(true);
  await world.until('told', () => browser.tabs.every((tab) => tab.gaps.at(-1) === 'evicted'), 3_000);
  server.publish(1);
  await world.until('and on', () => browser.tabs.every((tab) => tab.seqs().at(-1) === 4), 1_000);
});
