// What this tab has applied. Whoever brings events, leader or follower, they go through here.
import { compare, seqOf } from './cursor.js';
import type { Emitter } from './emitter.js';
import { RealtimeError } from './error.js';
import { createSeen } from './seen.js';
import type { Store } from './store.js';
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

export interface Inbox {
  cursor(): Cursor | null;
  /** Another session: nothing of the last one counts. It is for the caller to show the cursor. */
  reset(cursor: Cursor | null): void;
  /** False: the batch starts after what is applied, and nothing of it was taken. */
  accept(batch: Batch, source: Source): boolean;
  /** What lies before `to` is lost to this tab: its listeners are told to fetch anew. */
  gap(reason: GapReason, to: Cursor): void;
}

export interface InboxOptions<E extends RealtimeEvent> {
  dedupeSize: number;
  schema: RealtimeOptions<E>['schema'];
  scope(): Scope;
}

export function createInbox<E extends RealtimeEvent>(
  { dedupeSize, schema, scope }: InboxOptions<E>,
  events: Emitter<ClientEvents<E>>,
  store: Store,
  wall: () => number,
): Inbox {
  let applied: Cursor | null = null;
  const seen = createSeen(dedupeSize);

  function move(cursor: Cursor) {
    applied = cursor;
    store.set({ cursor });
  }

  function reset(cursor: Cursor | null) {
    seen.clear();
    applied = cursor;
  }

  function wanted(event: RealtimeEvent, after: number): E | null {
    const { propertyId } = scope();
    const other = propertyId !== undefined && (event.propertyId ?? propertyId) !== propertyId;
    return event.seq <= after || other || seen.has(event.eventId) ? null : checked(event);
  }

  function checked(event: RealtimeEvent): E | null {
    const valid = bySchema(schema, event);
    if (!valid) {
      const message = `event ${event.seq} doesn't fit the schema: dropped.`;
      events.emit('error', new RealtimeError('invalid_event', message));
    }
    return valid;
  }

  return {
    cursor: () => applied,
    reset,
    accept({ from, to, events: batch }, source) {
      if (!applied) return false;
      if (from !== applied) {
        // Not a number where the logs differ: then neither comparison holds, and it is a hole.
        if (compare(to, applied) <= 0) return true;
        if (!(compare(from, applied) <= 0)) return false;
      }
      const before = applied;
      const after = seqOf(before);
      const fresh = batch.map((event) => wanted(event, after)).filter((event) => event !== null);
      if (fresh.length) {
        store.set({ lastEventAt: wall() });
        events.emit('events', { events: fresh, cursor: to, source });
      }
      // Only now: a tab that dies in a listener has not applied them. One that signs another user in has begun anew.
      if (applied === before) move(to);
      return true;
    },
    gap(reason, to) {
      reset(to);
      move(to);
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
    // One of arktype is both a function and a Standard Schema.
    if (!('~standard' in schema)) return schema(event);
    const result = schema['~standard'].validate(event);
    return 'value' in result ? result.value : null;
  } catch {
    return null;
  }
}
