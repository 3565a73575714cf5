// One tab at a time: by a Web Lock, or where there is none by a lease in localStorage.
import type { KeyStore } from '../types.js';
import type { AuthEnv } from './types.js';

/** A lease is written, and read again after this long: of two that wrote at once, the later one has it. */
const SETTLE_MS = [50, 150] as const;

export interface Turn {
  name: string;
  /** How long to wait for it. */
  acquireMs: number;
  /** `work` takes no longer than this. A lease is void after it. */
  holdMs: number;
  /** Ends the wait. */
  signal: AbortSignal;
}

/** Whether `work` was run. It must not throw. */
export async function inTurn(env: AuthEnv, turn: Turn, work: () => Promise<void>): Promise<boolean> {
  if (!env.locks) return byLease(env, turn, work);
  const waiting = new AbortController();
  const stop = () => waiting.abort();
  const timer = env.setTimeout(stop, turn.acquireMs);
  turn.signal.addEventListener('abort', stop, { once: true });
  let ran = false;
  try {
    await env.locks.request(turn.name, { signal: waiting.signal }, async () => {
      env.clearTimeout(timer);
      ran = true;
      await work();
    });
  } catch {
    // Aborted, or locks are forbidden here (an opaque origin).
    if (!ran && !waiting.signal.aborted) ran = await byLease(env, turn, work);
  }
  env.clearTimeout(timer);
  return ran;
}

async function byLease(env: AuthEnv, turn: Turn, work: () => Promise<void>): Promise<boolean> {
  const me = env.id();
  const giveUp = env.wall() + turn.acquireMs;
  while (!(await claimed(env, turn, me))) {
    if (turn.signal.aborted || env.wall() >= giveUp) return false;
  }
  await work();
  if (holder(env, turn) === me) attempt(() => env.storage?.removeItem(turn.name));
  return true;
}

/** Without storage nobody can be asked: go on alone. */
async function claimed(env: AuthEnv, turn: Turn, me: string): Promise<boolean> {
  const free = holder(env, turn) === null;
  const lease = `${env.wall() + turn.holdMs} ${me}`;
  if (free && !attempt(() => (env.storage as KeyStore).setItem(turn.name, lease))) return true;
  await pause(env, SETTLE_MS[0] + (SETTLE_MS[1] - SETTLE_MS[0]) * env.random());
  return free && holder(env, turn) === me;
}

/** `null` also for a lease that has run out, can't be read, or ends later than any could: the clock was set back. */
function holder(env: AuthEnv, turn: Turn): string | null {
  let lease = '';
  attempt(() => {
    lease = env.storage?.getItem(turn.name) ?? '';
  });
  const left = Number.parseFloat(lease) - env.wall();
  return left > 0 && left <= turn.holdMs ? (lease.split(' ')[1] ?? null) : null;
}

function attempt(run: () => void): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}

function pause(env: AuthEnv, ms: number): Promise<void> {
  return new Promise((done) => env.setTimeout(done, ms));
}
