// A timer that is far too late: the machine slept, or the tab was frozen, and nobody said so.
import type { RealtimeEnv } from './types.js';

const tickMs = 5_000;
/** Timers of a hidden tab run once a minute: that is no sleep. */
const lateMs = { visible: 20_000, hidden: 90_000 };

/** Calls `onTick` every 5 s, with how late that was where it counts as sleep. Returns what stops it. */
export function watch(env: RealtimeEnv, onTick: (sleptMs: number) => void): () => void {
  let timer: unknown;
  let last = env.now();
  let lastWall = env.wall();

  function tick() {
    // Some systems stop the one clock during sleep, and people set the other.
    const late = Math.max(env.now() - last, env.wall() - lastWall) - tickMs;
    last = env.now();
    lastWall = env.wall();
    timer = env.setTimeout(tick, tickMs);
    const allowed = (env.page?.visible() ?? true) ? lateMs.visible : lateMs.hidden;
    onTick(late > allowed ? late : 0);
  }

  timer = env.setTimeout(tick, tickMs);
  return () => env.clearTimeout(timer);
}
