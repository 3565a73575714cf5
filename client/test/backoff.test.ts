import { expect, test } from 'vitest';
import { within } from '../src/backoff.js';
import { backoff } from '../src/index.js';

const middle = () => 0.5;

test('2, 4, 8, 16, 32, then 60 s', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 100, 1e9].map((n) => backoff(n, {}, middle))).toEqual(
    [2, 4, 8, 16, 32, 60, 60, 60, 60].map((s) => s * 1_000),
  );
});

test('± 20 %, and other figures where they are given', () => {
  expect([backoff(1, {}, () => 0), backoff(1, {}, () => 1)].map(Math.round)).toEqual([1_600, 2_400]);
  expect(backoff(3, { baseMs: 10, maxMs: 35, jitter: 0 })).toBe(35);
  expect(backoff(0, {}, middle)).toBe(2_000);
});

test('a range, both ends included', () => {
  expect([within([3, 5], () => 0), within([3, 5], middle), within([3, 5], () => 1)]).toEqual([3, 4, 5]);
});
