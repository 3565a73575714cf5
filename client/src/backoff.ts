// How long to wait: pure functions of a count and a random number.
import type { Range, RetryOptions } from './types.js';

/**
 * Milliseconds before attempt number `attempt` (1 is the first after a failure): base, 2·base, 4·base, … at most
 * max, each ± jitter.
 */
export function backoff(
  attempt: number,
  options: RetryOptions = {},
  random: () => number = Math.random,
): number {
  const { baseMs = 2_000, maxMs = 60_000, jitter = 0.2 } = options;
  // 2^30 · base is beyond any max, and stays finite.
  const wait = Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(attempt - 1, 0), 30));
  return wait * (1 - jitter + 2 * jitter * random());
}

/** A random time within a range. */
export function within(range: Range, random: () => number): number {
  return range[0] + (range[1] - range[0]) * random();
}
