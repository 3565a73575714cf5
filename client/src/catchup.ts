// From an answer to batches: what the server's memory no longer has is read from its log.
import { RealtimeError } from './error.js';
import { history } from './poll.js';
import type { Ask, Link } from './request.js';
import type { Cursor, GapReason, Source } from './types.js';
import type { Answer, Batch } from './wire.js';

/** Where batches and gaps go to: of a follower its own inbox, of the leader the other tabs too. */
export interface Sink {
  deliver(batch: Batch, source: Source): void;
  gap(reason: GapReason, from: Cursor | null, to: Cursor): void;
}

/** Beyond 10,000 events (pages of 200) fetching anew is cheaper than replaying. */
const mostPages = 50;
/** So many failures in a row, and the gap is admitted. */
const mostFailures = 3;

/** Deals with an answer, or what of a stream comes to one, to a request from `ask.cursor`. */
export type TakeAnswer = (answer: Answer, ask: Ask & { cursor: Cursor }, source: Source) => Promise<void>;

export function createCatchUp(link: Link, sink: Sink): TakeAnswer {
  let failures = 0;

  function pass({ events, cursor, gap, dropped }: Answer, from: Cursor, source: Source) {
    if (dropped) link.onError(new RealtimeError('invalid_event', `${dropped} events were none: dropped.`));
    if (gap) sink.gap(gap, from, cursor);
    else sink.deliver({ from, to: cursor, events }, source);
  }

  async function evicted(ask: Ask & { cursor: Cursor }, to: Cursor): Promise<void> {
    let { cursor } = ask;
    try {
      for (let page = 0; page < mostPages; page++) {
        const answer = await history(link, { ...ask, cursor });
        if (ask.signal.aborted) return;
        pass(answer, cursor, 'catchup');
        cursor = answer.cursor;
        failures = 0;
        if (!answer.more) return;
      }
    } catch (error) {
      if (ask.signal.aborted || !hopeless(error as RealtimeError, ++failures)) throw error;
    }
    failures = 0;
    sink.gap('evicted', cursor, to);
  }

  return async (answer, ask, source) => {
    if (answer.gap === 'evicted') await evicted(ask, answer.cursor);
    else pass(answer, ask.cursor, source);
  };
}

/** The same request again won't do better. */
function hopeless({ code }: RealtimeError, failures: number): boolean {
  // With a new token, or after a pause, it will.
  if (code === 'unauthorized' || code === 'disabled') return false;
  return code === 'http' || code === 'forbidden' || failures >= mostFailures;
}
