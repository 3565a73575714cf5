// The leader's last events, so that a follower that missed some needs no request.
import { compare, seqOf } from './cursor.js';
import type { Cursor, RealtimeEvent } from './types.js';
import type { Batch } from './wire.js';

export interface Ring {
  /** Batches join; one that doesn't start where the last ended starts the ring anew. */
  push(batch: Batch): void;
  /** All that came after `cursor`, or `null` where the ring doesn't reach back. */
  since(cursor: Cursor): Batch | null;
  clear(): void;
}

export function createRing(size = 200): Ring {
  let from: Cursor | null = null;
  let to: Cursor | null = null;
  let events: RealtimeEvent[] = [];

  function clear() {
    from = to = null;
    events = [];
  }

  function trim() {
    const out = events.splice(0, Math.max(0, events.length - size)).at(-1);
    // What was dropped ends at that event: so does what the ring can't tell.
    if (out && to) from = (to.slice(0, to.lastIndexOf('-') + 1) + out.seq) as Cursor;
  }

  return {
    clear,
    push(batch) {
      if (batch.from !== to) {
        clear();
        from = batch.from;
      }
      to = batch.to;
      events.push(...batch.events);
      trim();
    },
    since(cursor) {
      if (!from || !to || !(compare(from, cursor) <= 0) || !(compare(cursor, to) <= 0)) return null;
      const after = seqOf(cursor);
      return { from: cursor, to, events: events.filter((event) => event.seq > after) };
    },
  };
}
