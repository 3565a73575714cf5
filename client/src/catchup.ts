// From an answer to batches: what the server's memory no longer has is read from its log.
import { RealtimeError } from './error.js';
import { history, type Polled } from './poll.js';
import type { Ask, Link } from './request.js';
import type { Cursor, RealtimeEvent, Source } from './types.js';
import type { Batch, ServerGap } from './wire.js';

/** Where batches and gaps go to: of a follower its own inbox, of the leader the other tabs too. */
export interface Sink {
  deliver(batch: Batch, source: Source): void;
  gap(reason: ServerGap | 'first', from: Cursor | null, to: Cursor): void;
  invalid(error: RealtimeError): void;
}

/** Beyond 10,000 events (pages of 200) fetching anew is cheaper than replaying. */
const mostPages = 50;
/** So many failures in a row, and the gap is admitted. */
const mostFailures = 3;

export interface CatchUp {
  /** Deals with a whole answer to a request that started from `from`. */
  take(answer: Polled, from: Cursor, ask: Ask, source: Source): Promise<void>;
  /** Reads the log from `ask.cursor`; `to` is where to go on if that can't be. */
  evicted(ask: Ask, to: Cursor): Promise<void>;
  /** Events without the `null`s, each of which is reported. */
  sift(events: Array<RealtimeEvent | null>): RealtimeEvent[];
}

export function createCatchUp(link: Link, sink: Sink): CatchUp {
  let failures = 0;

  function sift(events: Array<RealtimeEvent | null>): RealtimeEvent[] {
    const good = events.filter((event) => event !== null);
    if (good.length < events.length) {
      const message = `${events.length - good.length} of the answer's events are none: dropped. Check the proxy.`;
      sink.invalid(new RealtimeError('invalid_event', message));
    }
    return good;
  }

  async function take(answer: Polled, from: Cursor, ask: Ask, source: Source): Promise<void> {
    if (answer.gap === 'evicted') return await evicted({ ...ask, cursor: from }, answer.cursor);
    if (answer.gap) sink.gap(answer.gap, from, answer.cursor);
    else sink.deliver({ from, to: answer.cursor, events: sift(answer.events) }, source);
  }

  async function evicted(ask: Ask, to: Cursor): Promise<void> {
    let from = ask.cursor as Cursor;
    try {
      for (let page = 0; page < mostPages; page++) {
        const answer = await history(link, { ...ask, cursor: from });
        if (ask.signal.aborted) return;
        if (answer.gap) sink.gap(answer.gap, from, answer.cursor);
        else sink.deliver({ from, to: answer.cursor, events: sift(answer.events) }, 'catchup');
        from = answer.cursor;
        if (!answer.more) {
          failures = 0;
          return;
        }
      }
    } catch (error) {
      if (ask.signal.aborted || !hopeless(error, ++failures)) throw error;
    }
    failures = 0;
    sink.gap('evicted', from, to);
  }

  return { take, evicted, sift };
}

function hopeless(error: unknown, failures: number): boolean {
  if (!(error instanceof RealtimeError)) return true;
  // A new token, or a pause, and the same request is answered.
  if (error.code === 'unauthorized' || error.code === 'disabled') return false;
  return error.code === 'http' || error.code === 'forbidden' || failures >= mostFailures;
}
