// What the server's memory no longer has is read from its log. Loaded only where that happens.
import type { AskFrom, Sink, TakeAnswer } from './catchup.js';
import { compare } from './cursor.js';
import type { RealtimeError } from './error.js';
import { history } from './poll.js';
import type { Link } from './request.js';
import type { Cursor } from './types.js';

/** Beyond 10,000 events (pages of 200) fetching anew is cheaper than replaying. */
const mostPages = 50;
/** So many failures in a row, and the gap is admitted. */
const mostFailures = 3;

/** Reads the log from `ask.cursor`; `to` is where to go on if that can't be. */
export type Recover = (ask: AskFrom, to: Cursor) => Promise<void>;

export function createRecovery(link: Link, take: TakeAnswer, sink: Sink): Recover {
  let failures = 0;

  return async (ask, to) => {
    let { cursor } = ask;
    try {
      for (let page = 0; page < mostPages; page++) {
        const answer = await history(link, { ...ask, cursor });
        if (ask.signal.aborted) return;
        failures = 0;
        // The log never says `evicted`: this can't come back here.
        await take(answer, { ...ask, cursor }, 'catchup');
        cursor = answer.cursor;
        if (!answer.more) return;
      }
    } catch (error) {
      if (ask.signal.aborted || !hopeless(error as RealtimeError, ++failures)) throw error;
    }
    failures = 0;
    // What came while the log was read has been passed on: not again.
    sink.gap('evicted', compare(cursor, to) > 0 ? cursor : to);
  };
}

/** The same request again won't do better. */
function hopeless({ code }: RealtimeError, failures: number): boolean {
  // With a new token, or after a pause, it will.
  if (code === 'unauthorized' || code === 'disabled') return false;
  return code === 'http' || code === 'forbidden' || failures >= mostFailures;
}
