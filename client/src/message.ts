// What tabs say to each other, and the check of it: any script of the origin can speak on the channel.
import { isCursor } from './cursor.js';
import { RealtimeError, type RealtimeErrorCode } from './error.js';
import type { Cursor, GapReason, RealtimeEvent, Role, RoleChange, Status } from './types.js';
import { isRecord, readEvent } from './wire.js';

/** How the leader fares, as followers show it. */
export interface LeaderState {
  status: Status;
  /** Up to here it has passed everything on. */
  cursor: Cursor | null;
  /** The filter that it asks with, `null`: none. A tab with another one is not served. */
  filter: string | null;
  visible: boolean;
  attempt: number;
  nextRetryAt: number | null;
  lastContactAt: number | null;
  error: { code: RealtimeErrorCode; message: string; status: number | undefined } | null;
}

export type Message =
  | { type: 'hello'; filter: string | null; visible: boolean }
  | { type: 'leader'; how: RoleChange; state: LeaderState }
  | { type: 'hb'; state: LeaderState }
  | { type: 'pong'; state: LeaderState }
  | { type: 'ping' }
  | { type: 'events'; from: Cursor; to: Cursor; filter: string | null; events: readonly RealtimeEvent[] }
  | { type: 'gap'; from: Cursor | null; to: Cursor; reason: GapReason }
  | { type: 'ask'; from: Cursor; filter: string | null }
  | { type: 'fill'; for: string; from: Cursor; to: Cursor; events: readonly RealtimeEvent[] }
  | { type: 'claim' }
  | { type: 'yield'; to: string }
  | { type: 'poke' }
  | { type: 'bye'; role: Role };

/** What goes around each message. Another version, or another session, is not listened to. */
export interface Envelope {
  v: 1;
  /** The session, hashed: it names a user, and the channel is everybody's. */
  k: string;
  /** Who speaks. */
  tab: string;
  term: number;
}

export type Heard = Message & Envelope;

type Fields = Record<string, unknown>;

const checks: Record<Message['type'], (m: Fields) => boolean> = {
  hello: (m) => isFilter(m.filter) && typeof m.visible === 'boolean',
  leader: (m) => isState(m.state),
  hb: (m) => isState(m.state),
  pong: (m) => isState(m.state),
  ping: () => true,
  events: (m) => isFilter(m.filter) && isBatch(m),
  gap: (m) => isCursor(m.to) && (m.from === null || isCursor(m.from)) && typeof m.reason === 'string',
  ask: (m) => isCursor(m.from) && isFilter(m.filter),
  fill: (m) => typeof m.for === 'string' && isBatch(m),
  claim: () => true,
  yield: (m) => typeof m.to === 'string',
  poke: () => true,
  bye: () => true,
};

/** The message, or `null` for what isn't one of this session. */
export function readMessage(data: unknown, k: string): Heard | null {
  return isRecord(data) &&
    data.v === 1 &&
    data.k === k &&
    typeof data.tab === 'string' &&
    Number.isSafeInteger(data.term) &&
    Object.hasOwn(checks, String(data.type)) &&
    checks[data.type as Message['type']](data)
    ? (data as unknown as Heard)
    : null;
}

function isFilter(value: unknown): boolean {
  return value === null || typeof value === 'string';
}

function isBatch(m: Fields): boolean {
  return (
    isCursor(m.from) &&
    isCursor(m.to) &&
    Array.isArray(m.events) &&
    m.events.every((e) => readEvent(e) !== null)
  );
}

function isState(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value.status === 'string' &&
    (value.cursor === null || isCursor(value.cursor)) &&
    isFilter(value.filter) &&
    typeof value.visible === 'boolean' &&
    typeof value.attempt === 'number' &&
    (value.error === null || (isRecord(value.error) && typeof value.error.message === 'string'))
  );
}

export function errorOf({ error }: LeaderState): RealtimeError | null {
  return error && new RealtimeError(error.code, error.message, { status: error.status });
}
