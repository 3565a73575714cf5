// What the server sends, checked: everything behind this file is typed.
import { isCursor } from './cursor.js';
import { RealtimeError } from './error.js';
import type { Cursor, GapReason, RealtimeEvent } from './types.js';

export type ServerGap = Exclude<GapReason, 'first'>;

/** Events that lie after `from`, up to and with `to`. */
export interface Batch {
  from: Cursor;
  to: Cursor;
  events: readonly RealtimeEvent[];
}

export interface Answer {
  events: RealtimeEvent[];
  cursor: Cursor;
  gap: ServerGap | null;
  overloaded: boolean;
  more: boolean;
  /** Events that were none. */
  dropped: number;
}

/** Why a stream ends. */
export interface Ending {
  code: string | undefined;
  overloaded: boolean;
  retryAfterMs: number | undefined;
}

/** A line of a stream: an ending, or a new cursor and with it at most an event or a gap. */
export type Line = { end: Ending } | (Answer & { end: null });

type Fields = Record<string, unknown>;

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isEvent(raw: unknown): raw is RealtimeEvent {
  return (
    isRecord(raw) &&
    ['eventId', 'eventType', 'orgId'].every((name) => typeof raw[name] === 'string') &&
    typeof raw.timestamp === 'number' &&
    Number.isSafeInteger(raw.seq) &&
    typeof (raw.propertyId ?? '') === 'string' &&
    'payload' in raw
  );
}

export function parse(text: string): Fields {
  try {
    const raw: unknown = JSON.parse(text);
    if (isRecord(raw)) return raw;
  } catch {
    // What isn't JSON is no object either.
  }
  return stranger();
}

export function readCursor({ cursor }: Fields): Cursor {
  return isCursor(cursor) ? cursor : stranger();
}

function stranger(): never {
  throw new RealtimeError('bad_response', "not Bellhop's answer: check `url` and the proxy.");
}

export function readAnswer(raw: Fields): Answer {
  const all = Array.isArray(raw.events) ? raw.events : [];
  const events = all.filter(isEvent);
  return {
    events,
    cursor: readCursor(raw),
    gap: isRecord(raw.gap) ? reasonOf(raw.gap) : null,
    overloaded: raw.overloaded === true,
    more: raw.more === true,
    dropped: all.length - events.length,
  };
}

export function readLine(text: string): Line {
  const raw = parse(text);
  const { end, overloaded, event } = raw;
  const ending = end ?? overloaded;
  if (!isRecord(ending)) return { ...readAnswer({ ...raw, events: event && [event] }), end: null };
  const { code, retryAfterMs } = ending;
  return {
    end: {
      code: typeof code === 'string' ? code : undefined,
      overloaded: ending === overloaded,
      retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
    },
  };
}

/** A reason that a later server invents is as good as the worst: fetch anew. */
function reasonOf({ reason }: Fields): ServerGap {
  return reason === 'evicted' || reason === 'log' ? reason : 'expired';
}
