// A follower's own request for what it missed. Loaded only where that happens.
import { backoff } from './backoff.js';
import { createCatchUp } from './catchup.js';
import type { RealtimeError } from './error.js';
import { createPause } from './pause.js';
import { poll } from './poll.js';
import type { Place } from './seat.js';
import { createTokens } from './tokens.js';

/** Asks the server until `enough()`. */
export type FetchMissing = (enough: () => boolean, signal: AbortSignal) => Promise<void>;

export function createMissing(place: Place): FetchMissing {
  const { link, inbox } = place;
  const { env, settings } = link;
  const tokens = createTokens(link);
  const take = createCatchUp(link, {
    deliver: inbox.accept,
    gap(reason, to) {
      place.telemetry('gap', { reason });
      inbox.gap(reason, to);
    },
  });

  /** Resolves with the least pause before it is worth another try, or `null`: none is needed. */
  async function once(signal: AbortSignal): Promise<number | null> {
    if (signal.aborted) return null;
    try {
      const token = await tokens.get(signal);
      const cursor = inbox.cursor();
      if (!token || !cursor || signal.aborted || !place.current()) return 0;
      const ask = { token, cursor, signal };
      const answer = await poll(link, ask, true, 0);
      tokens.accepted();
      if (signal.aborted || answer.overloaded) return answer.retryAfterMs ?? 0;
      await take(answer, ask, 'catchup');
      return null;
    } catch (cause) {
      const { code, retryAfterMs } = cause as RealtimeError;
      if (code === 'unauthorized') tokens.refused();
      return retryAfterMs ?? 0;
    }
  }

  return async (enough, signal) => {
    const pause = createPause(env);
    for (let failures = 1; ; failures++) {
      const least = await once(signal);
      // What an answer doesn't reach, this tab need not see: another log's cursor, say.
      if (least === null || enough() || signal.aborted) return;
      await pause.sleep(Math.max(backoff(failures, settings.retry, env.random), least), signal);
    }
  };
}
