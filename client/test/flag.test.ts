// The flag: who may turn it, and when it is asked for.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { remoteFlag } from '../src/index.js';
import { FakeStorage } from './fake/browser.js';

const key = 'tasks-realtime-v2-enabled';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function flag(answer: () => unknown, more: Partial<Parameters<typeof remoteFlag>[0]> = {}) {
  const storage = new FakeStorage();
  const asked = vi.fn(async () => {
    const value = answer();
    if (value instanceof Error) throw value;
    return value instanceof Response ? value : Response.json(value);
  });
  return {
    storage,
    asked,
    flag: remoteFlag({ key, url: '/flags', storage, fetch: asked as unknown as typeof fetch, ...more }),
  };
}

test.each([
  ['nothing is known', undefined, undefined, true],
  ['nothing is known, and the default is off', undefined, undefined, false, false],
  ['the server says on', { [key]: true }, undefined, true, false],
  ['the server says off', { [key]: false }, undefined, false],
  ['the server says off, localStorage on: the kill switch wins', { [key]: false }, 'true', false],
  ['localStorage says off', { [key]: true }, 'false', false],
  ['localStorage says on', {}, 'true', true, false],
  ['the answer says nothing of it', { other: false }, undefined, true],
  ['the answer is nonsense', 7, undefined, true],
  ['the answer is a refusal', new Response('{}', { status: 500 }), undefined, true],
  ['the server is not there', new Error('offline'), undefined, true],
])('%s', async (_name, answer, local, expected, preset = true) => {
  const { flag: f, storage } = flag(() => answer, { default: preset });
  if (local) storage.setItem(key, local);
  const off = f.subscribe(() => {});
  await vi.advanceTimersByTimeAsync(1);
  expect(f()).toBe(expected);
  off();
});

test('it tells of a turn, and is asked for only as long as somebody listens', async () => {
  let on = true;
  const { flag: f, asked } = flag(() => ({ [key]: on }));
  expect(asked).not.toHaveBeenCalled();
  const turns: boolean[] = [];
  const off = f.subscribe(() => turns.push(f()));
  await vi.advanceTimersByTimeAsync(1);
  on = false;
  await vi.advanceTimersByTimeAsync(73_000);
  on = true;
  await vi.advanceTimersByTimeAsync(73_000);
  expect(turns).toEqual([false, true]);
  const calls = asked.mock.calls.length;
  off();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked.mock.calls.length).toBe(calls);
  expect(vi.getTimerCount()).toBe(0);
});

test('leaving and coming back while an answer is under way makes no second loop', async () => {
  const answers: Array<(r: Response) => void> = [];
  const slow = () => new Promise<Response>((resolve) => answers.push(resolve));
  const flag = remoteFlag({ key, url: '/flags', storage: null, fetch: slow as typeof fetch });
  flag.subscribe(() => {})();
  const off = flag.subscribe(() => {});
  for (const answer of answers) answer(Response.json({}));
  await vi.advanceTimersByTimeAsync(1);
  expect(answers.length).toBe(1);
  expect(vi.getTimerCount()).toBe(1);
  off();
  expect(vi.getTimerCount()).toBe(0);
});

test('storage that throws is no flag', () => {
  const { flag: f, storage } = flag(() => ({}));
  storage.broken = true;
  expect(f()).toBe(true);
  expect(remoteFlag({ key })()).toBe(true); // and no localStorage at all, as in Node
});
