// From an answer to batches and gaps.
import { RealtimeError } from './error.js';
import type { Ask, Link } from './request.js';
import type { Cursor, GapReason, Source } from './types.js';
import type { Answer, Batch } from './wire.js';

/** Where batches and gaps go to: of a follower its own inbox, of the leader the other tabs too. */
export interface Sink {
  deliver(batch: Batch, source: Source): void;
  gap(reason: GapReason, to: Cursor): void;
}

export type AskFrom = Ask & { cursor: Cursor };

/** Deals with an answer, or what of a stream comes to one, to a request from `ask.cursor`. */
export type TakeAnswer = (answer: Answer, ask: AskFrom, source: Source) => Promise<void>;

export function createCatchUp(link: Link, sink: Sink): TakeAnswer {
  // Without the code that reads the log, the gap is told.
  const recovery = () =>
    import('./recovery.js').then(
      ({ createRecovery }) => createRecovery(link, take, sink),
      () => null,
    );
  let recover: ReturnType<typeof recovery> | undefined;

  async function take(answer: Answer, ask: AskFrom, source: Source): Promise<void> {
    const { events, cursor, gap, dropped } = answer;
    if (dropped) link.onError(new RealtimeError('invalid_event', `${dropped} events were none: dropped.`));
    if (gap === 'evicted') {
      recover ??= recovery();
      const read = await recover;
      if (read) return await read(ask, cursor);
    }
    if (gap) sink.gap(gap, cursor);
    else sink.deliver({ from: ask.cursor, to: cursor, events }, source);
  }

  return take;
}
