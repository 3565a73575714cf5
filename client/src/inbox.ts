// What this tab has applied. Whoever brings events, leader or follower, they go through here.
import { compare, seqOf } from './cursor.js';
import type { Emitter } from './emitter.js';
import { RealtimeError } from './error.js';
import { createSeen } from './seen.js';
import type {
  ClientEvents,
  Cursor,
  GapReason,
  RealtimeEvent,
  RealtimeOptions,
  Scope,
  Source,
} from './types.js';
import type { Batch } from './wire.js';

/** `hole`: the batch starts after what is applied; nothing of it was taken. */
export type Verdict = 'applied' | 'old' | 'hole';

export interface Inbox {
  cursor(): Cursor | null;
  /** Another session: nothing of the last one counts. */
  reset(cursor: Cursor | null): void;
  accept(batch: Batch, source: Source): Verdict;
  /** What lies before `to` is lost to this tab: its listeners are told to fetch anew. */
  gap(reason: GapReason, to: Cursor): void;
}

export function createInbox<E extends RealtimeEvent>(
  settings: { dedupeSize: number; schema?: RealtimeOptions<E>['schema'] },
  scope: () => Scope,
  events: Emitter<ClientEvents<E>>,
  onEvents: () => void,
): Inbox {
  let applied: Cursor | null = null;
  const seen = createSeen(settings.dedupeSize);

  function wanted(event: RealtimeEvent, after: number): E | null {
    const { propertyId } = scope();
    if (event.seq <= after) return null;
    if (propertyId !== undefined && event.propertyId !== undefined && event.propertyId !== propertyId)
      return null;
    if (seen.has(event.eventId)) return null;
    return checked(event);
  }

  function checked(event: RealtimeEvent): E | null {
    const valid = bySchema(settings.schema, event);
    if (valid === null) {
      const message = `event ${event.seq} doesn't fit the schema: it was dropped. Compare publisher and schema.`;
      events.emit('error', new RealtimeError('invalid_event', message));
    }
    return valid;
  }

  function reset(cursor: Cursor | null) {
    applied = cursor;
    seen.clear();
  }

  return {
    cursor: () => applied,
    reset,
    accept({ from, to, events: batch }, source) {
      if (applied === null) return 'hole';
      if (from !== applied) {
        // Not a number where the logs differ: then neither comparison holds, and it is a hole.
        if (compare(to, applied) <= 0) return 'old';
        if (!(compare(from, applied) <= 0)) return 'hole';
      }
      const after = seqOf(applied);
      const fresh = batch.map((event) => wanted(event, after)).filter((event) => event !== null);
      if (fresh.length) {
        onEvents();
        events.emit('events', { events: fresh, cursor: to, source });
      }
      // Only now: a tab that dies in a listener has not applied them.
      applied = to;
      return 'applied';
    },
    gap(reason, to) {
      reset(to);
      events.emit('gap', { reason, cursor: to });
    },
  };
}

function bySchema<E extends RealtimeEvent>(
  schema: RealtimeOptions<E>['schema'],
  event: RealtimeEvent,
): E | null {
  if (!schema) return event as E;
  try {
    // A schema of arktype is both a function and a Standard Schema.
    if (!('~standard' in schema)) return schema(event);
    const result = schema['~standard'].validate(event);
    return 'value' in result ? result.value : null;
  } catch {
    return null;
  }
}
