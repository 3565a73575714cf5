// Sleep that can be cut short.
import type { RealtimeEnv } from './types.js';

export interface Pause {
  /** Resolves after `ms` (Infinity: never by itself), on `wake()`, or when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  wake(): void;
}

export function createPause(env: RealtimeEnv): Pause {
  let wake = () => {};
  return {
    wake: () => wake(),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = ms === Infinity ? undefined : env.setTimeout(done, ms);
        function done() {
          env.clearTimeout(timer);
          signal.removeEventListener('abort', done);
          wake = () => {};
          resolve();
        }
        wake = done;
        signal.addEventListener('abort', done);
        if (signal.aborted) done();
      }),
  };
}
