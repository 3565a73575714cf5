// What tabs say to each other, and the check of it: any script of the origin can speak on the channel.
import { isCursor } from './cursor.js';
import type { RealtimeErrorCode } from './error.js';
import type { Cursor, GapReason, Role, Snapshot } from './types.js';
import { type Batch, isEvent, isRecord } from './wire.js';

/** How the leader fares, as followers show it. Its cursor: up to there it has passed everything on. */
export interface LeaderState
  extends Pick<Snapshot, 'status' | 'cursor' | 'attempt' | 'nextRetryAt' | 'lastContactAt'> {
  visible: boolean;
  error: { code: RealtimeErrorCode; message: string; status: number | undefined } | null;
}

export type Message =
  /** A tab is there, or looked at, or not any more. */
  | { type: 'hello'; visible: boolean }
  /** The leader's heartbeat, and its answer to `ping` and `hello`. */
  | { type: 'hb'; state: LeaderState }
  | { type: 'ping' }
  | ({ type: 'events' } & Batch)
  | { type: 'gap'; to: Cursor; reason: GapReason }
  /** A tab that is looked at wants the lead, and gets it. */
  | { type: 'claim' }
  | { type: 'yield'; to: string }
  | { type: 'poke' }
  | { type: 'bye'; role: Role };

/** What goes around each message. Another version, or another session, is not listened to. */
export interface Envelope {
  v: 1;
  /** The session's key: the channel is that of all sessions of the domain. */
  k: string;
  /** Who speaks. */
  tab: string;
}

export type Heard = Message & Envelope;

type Fields = Record<string, unknown>;

const checks = new Map<string, (m: Fields) => boolean>([
  ['hb', ({ state }) => isRecord(state) && (state.cursor === null || isCursor(state.cursor))],
  ['events', (m) => isCursor(m.from) && isCursor(m.to) && Array.isArray(m.events) && m.events.every(isEvent)],
  ['gap', (m) => isCursor(m.to)],
]);

/** The message, or `null` for what isn't one of this session. */
export function readMessage(data: unknown, k: string): Heard | null {
  const good =
    isRecord(data) &&
    data.v === 1 &&
    data.k === k &&
    typeof data.tab === 'string' &&
    typeof data.type === 'string' &&
    (checks.get(data.type)?.(data) ?? true);
  return good ? (data as unknown as Heard) : null;
}
