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

  /** False: it failed, and is worth another try. */
  async function once(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return true;
    try {
      const token = await tokens.get(signal);
      const cursor = inbox.cursor();
      if (!token || !cursor || signal.aborted || !place.current()) return false;
      const ask = { token, cursor, signal };
      const answer = await poll(link, ask, true, 0);
      tokens.accepted();
      if (signal.aborted || answer.overloaded) return false;
      await take(answer, ask, 'catchup');
      return true;
    } catch (error) {
      if ((error as RealtimeError).code === 'unauthorized') tokens.refused();
      return false;
    }
  }

  return async (enough, signal) => {
    const pause = createPause(env);
    // What an answer doesn't reach, this tab need not see: another log's cursor, say.
    for (let failures = 1; !(await once(signal)) && !enough() && !signal.aborted; failures++) {
      await pause.sleep(backoff(failures, settings.retry, env.random), signal);
    }
  };
}
