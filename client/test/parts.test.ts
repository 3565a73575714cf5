// The small parts by themselves.
import { expect, test } from 'vitest';
import { compare, isCursor, seqOf } from '../src/cursor.js';
import { browserEnv } from '../src/env.js';
import type { Cursor } from '../src/index.js';
import { createPause } from '../src/pause.js';
import { deadline, retryAfter } from '../src/request.js';
import { createSeen } from '../src/seen.js';
import { readAnswer, readLine } from '../src/wire.js';
import { nobody, World } from './fake/world.js';

const c = (text: string) => text as Cursor;

test('cursors: what is one, and which is further', () => {
  for (const good of ['9f3a1c2e5b7d8e0f-1042', 'a-0', 'a-b-7']) expect(isCursor(good)).toBe(true);
  for (const bad of [
    '',
    '-',
    'a',
    'a-',
    '-1',
    'a-x',
    'a b-1',
    'a-1\n',
    `a-${'9'.repeat(17)}`,
    7,
    null,
    undefined,
    'ü-1',
  ]) {
    expect(isCursor(bad), String(bad)).toBe(false);
  }
  expect(compare(c('a-9'), c('a-10'))).toBeLessThan(0);
  expect(compare(c('a-10'), c('a-10'))).toBe(0);
  expect(compare(c('a-11'), c('a-10'))).toBeGreaterThan(0);
  expect(compare(c('a-1'), c('b-1'))).toBeNaN();
  expect(seqOf(c('a-b-7'))).toBe(7);
});

test('the last ids, and no more', () => {
  const seen = createSeen(3);
  expect(['a', 'b', 'c', 'a', 'd', 'a'].map((id) => seen.has(id))).toEqual([
    false,
    false,
    false,
    true,
    false,
    false,
  ]);
  seen.clear();
  expect(seen.has('d')).toBe(false);
});

test('Retry-After: seconds; what is none of a server’s is none', () => {
  const of = (value?: string) =>
    retryAfter(new Response('', value === undefined ? {} : { headers: { 'retry-after': value } }));
  expect([of('3'), of('0'), of('2.5')]).toEqual([3_000, 0, 2_500]);
  expect([of(), of(''), of('x'), of('-3'), of('Wed, 21 Oct 2015 07:28:00 GMT')]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(of('1e9')).toBe(600_000);
});

test('an unknown gap reason is as good as the worst; unknown members are nothing', () => {
  const answer = readAnswer({ events: [], cursor: 'a-1', gap: { reason: 'moon' }, later: 1 });
  expect(answer.gap).toBe('expired');
  expect(readLine('{"cursor":"a-1","later":{}}')).toMatchObject({
    cursor: 'a-1',
    events: [],
    gap: null,
    end: null,
  });
  expect(readLine('{"end":{"code":7,"retryAfterMs":"x"},"cursor":"a-1"}')).toEqual({
    end: { code: undefined, overloaded: false, retryAfterMs: undefined },
  });
});

test('a deadline ends with its time, with its parent, and leaves nothing behind', async () => {
  const world = new World();
  const env = browserEnv({
    setTimeout: (run, ms) => world.setTimer(nobody, run, ms),
    clearTimeout: (t) => world.clearTimer(t),
  });
  const parent = new AbortController();
  const limit = deadline(env, parent.signal);
  limit.set(10);
  await world.advance(9);
  limit.set(10);
  await world.advance(9);
  expect(limit.signal.aborted).toBe(false);
  await world.advance(1);
  expect([limit.signal.aborted, limit.expired()]).toEqual([true, true]);
  const other = deadline(env, parent.signal);
  other.set(10);
  parent.abort();
  expect([other.signal.aborted, other.expired()]).toEqual([true, false]);
  other.done();
  expect(world.timersOf(nobody)).toBe(0);
  expect(deadline(env, parent.signal).signal.aborted).toBe(true);
});

test('a pause ends by time, by wake and by its signal', async () => {
  const world = new World();
  const env = browserEnv({
    setTimeout: (run, ms) => world.setTimer(nobody, run, ms),
    clearTimeout: (t) => world.clearTimer(t),
  });
  const pause = createPause(env);
  const done: string[] = [];
  void pause.sleep(10, new AbortController().signal).then(() => done.push('time'));
  await world.advance(10);
  void pause.sleep(Number.POSITIVE_INFINITY, new AbortController().signal).then(() => done.push('wake'));
  await world.advance(1e9);
  pause.wake();
  const abort = new AbortController();
  void pause.sleep(10, abort.signal).then(() => done.push('signal'));
  abort.abort();
  await world.settle();
  void pause.sleep(10, AbortSignal.abort()).then(() => done.push('aborted'));
  await world.settle();
  expect(done).toEqual(['time', 'wake', 'signal', 'aborted']);
  expect(world.timersOf(nobody)).toBe(0);
});
