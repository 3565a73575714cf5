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
  /** `null` in place of an event that isn't one. */
  events: Array<RealtimeEvent | null>;
  cursor: Cursor;
  gap: ServerGap | null;
  overloaded: boolean;
  more: boolean;
}

/** A line of a stream. */
export type Line =
  | { kind: 'cursor'; cursor: Cursor }
  | { kind: 'event'; cursor: Cursor; event: RealtimeEvent | null }
  | { kind: 'gap'; cursor: Cursor; reason: ServerGap }
  | { kind: 'end'; code: string | undefined; overloaded: boolean; retryAfterMs: number | undefined };

type Fields = Record<string, unknown>;

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The event, or `null` for what isn't one. */
export function readEvent(raw: unknown): RealtimeEvent | null {
  return isRecord(raw) &&
    typeof raw.eventId === 'string' &&
    typeof raw.eventType === 'string' &&
    typeof raw.orgId === 'string' &&
    typeof raw.timestamp === 'number' &&
    Number.isSafeInteger(raw.seq) &&
    (raw.propertyId === undefined || typeof raw.propertyId === 'string') &&
    'payload' in raw
    ? (raw as unknown as RealtimeEvent)
    : null;
}

export function readCursor(raw: unknown): Cursor {
  const cursor = isRecord(raw) ? raw.cursor : undefined;
  return isCursor(cursor) ? cursor : malformed('no cursor in it');
}

export function readAnswer(raw: unknown): Answer {
  const cursor = readCursor(raw);
  const body = raw as Fields;
  if (!Array.isArray(body.events)) malformed('no events in it');
  return {
    events: (body.events as unknown[]).map(readEvent),
    cursor,
    gap: body.gap === null || body.gap === undefined ? null : readGap(body.gap),
    overloaded: body.overloaded === true,
    more: body.more === true,
  };
}

export function readLine(text: string): Line {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    malformed('a line that is not JSON');
  }
  if (!isRecord(raw)) return malformed('a line that is no object');
  const ending = isRecord(raw.end) ? raw.end : raw.overloaded;
  if (isRecord(ending)) {
    return {
      kind: 'end',
      code: typeof ending.code === 'string' ? ending.code : undefined,
      overloaded: ending === raw.overloaded,
      retryAfterMs: typeof ending.retryAfterMs === 'number' ? ending.retryAfterMs : undefined,
    };
  }
  const cursor = readCursor(raw);
  if (raw.gap !== undefined) return { kind: 'gap', cursor, reason: readGap(raw.gap) };
  if (raw.event !== undefined) return { kind: 'event', cursor, event: readEvent(raw.event) };
  return { kind: 'cursor', cursor };
}

/** A reason that a later server invents is as good as the worst: fetch anew. */
function readGap(raw: unknown): ServerGap {
  const reason = isRecord(raw) ? raw.reason : undefined;
  return reason === 'evicted' || reason === 'log' ? reason : 'expired';
}

function malformed(what: string): never {
  throw new RealtimeError(
    'bad_response',
    `the answer is not Bellhop's: ${what}. Check \`url\` and the proxy.`,
  );
}
