// The public types of the core. What the server promises stands in PROTOCOL.md.
import type { RealtimeError } from './error.js';

/** One domain event as a subscriber gets it: as it was published, plus `seq`, its number in the log. */
export interface RealtimeEvent<T extends string = string, P = unknown> {
  eventId: string;
  eventType: T;
  /** The publisher's clock, milliseconds since 1970. */
  timestamp: number;
  orgId: string;
  /** Left out: the event concerns the whole org. */
  propertyId?: string;
  payload: P;
  /** Rises, and is not dense within an org. */
  seq: number;
}

/** A position in the log: "I have everything up to here". Opaque: keep it, send it back, compare it with nothing. */
export type Cursor = string & { readonly __cursor: unique symbol };

/** Milliseconds, both ends included. */
export type Range = readonly [minMs: number, maxMs: number];

/**
 * - `idle`: not started yet
 * - `connecting`: started, nothing heard yet
 * - `live`: the tab that leads hears the server
 * - `degraded`: it doesn't, or the server asked for a pause; it is tried again at `nextRetryAt`
 * - `offline`: the browser says so, or nothing has got through for `offlineGraceMs`
 * - `paused`: there is no token or no session, or the page lies in the back/forward cache
 * - `unauthorized`: the token was refused and could not be renewed, or it may not see this org or property
 * - `disabled`: switched off by `enabled`, or by the server for good (410)
 * - `closed`: by `close()`
 */
export type Status =
  | 'idle'
  | 'connecting'
  | 'live'
  | 'degraded'
  | 'offline'
  | 'paused'
  | 'unauthorized'
  | 'disabled'
  | 'closed';

/** Of all tabs of one session one is the leader: it alone talks to the server. */
export type Role = 'leader' | 'follower' | 'none';

/** How a role was come by. `takeover`: from a leader that is gone; `steal`: from one that no longer answers. */
export type RoleChange = 'acquired' | 'takeover' | 'steal' | 'handover' | 'lost';

/** What an event, or a stream of them, came by. */
export type Source = 'poll' | 'stream' | 'broadcast' | 'catchup';

/**
 * Why events were missed. `expired`: the log no longer reaches back; `log`: the cursor is of another log (a
 * restored or a new one); `evicted`: the server's memory no longer reaches back, and reading the log failed too;
 * `first`: the tab had no cursor, so what it shows may be older than the stream's start.
 */
export type GapReason = 'evicted' | 'expired' | 'log' | 'first';

/** What the client is doing, the same object until something changes. Times are milliseconds since 1970. */
export interface Snapshot {
  status: Status;
  role: Role;
  isLeader: boolean;
  /** The tab that leads hears the server: true in followers too. */
  isConnected: boolean;
  /** How the leader talks to the server; `null` in followers and before the first answer. */
  transport: 'poll' | 'stream' | null;
  /** Everything up to here has been handed to this tab's listeners. */
  cursor: Cursor | null;
  lastEventAt: number | null;
  lastContactAt: number | null;
  /** Failures in a row. */
  attempt: number;
  nextRetryAt: number | null;
  error: RealtimeError | null;
  /** The browser lacks what tabs need to share one connection: this one asks for itself. */
  solo: boolean;
}

/** The one method of a Standard Schema (standardschema.dev) that is used: zod, valibot and arktype have it. */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<{ readonly message: string }> };

/** A switch that can also say when it has turned, as `remoteFlag()` does. */
export interface Flag {
  (): boolean;
  /** Calls `onChange` after each turn, until the function that it returns is called. */
  subscribe?(onChange: () => void): () => void;
}

/** Which events a tab wants. */
export interface Scope {
  /** Events of this property and those of the whole org. Left out: of all properties that the token permits. */
  propertyId?: string;
}

export type Transport = 'auto' | 'poll' | 'stream';

/** Waits between attempts: `baseMs`, twice that, … up to `maxMs`, each ± `jitter` of itself. */
export interface RetryOptions {
  /** 2,000 */
  baseMs?: number;
  /** 60,000 */
  maxMs?: number;
  /** 0.2: ± 20 % */
  jitter?: number;
}

export interface RealtimeOptions<E extends RealtimeEvent = RealtimeEvent> {
  /** As in the server's configuration: `tasks`. The tabs' channel is `tasks-events`. */
  domain: string;
  /** Base of `/<domain>/realtime/…`: an origin, an origin with a path, or a path of this origin. Default: `/`. */
  url?: string | URL;
  /**
   * Names the signed-in user and org, `null` when nobody is. Tabs share a leader, a lock and events only where
   * it is the same, so no event reaches another user's tab. Asked again on `poke()` and before each request.
   */
  sessionKey: () => string | null;
  /** Asked before every request, never kept. `null`: no request is sent. */
  getToken: () => string | null | Promise<string | null>;
  /** The server refused `failed`. `true`: there is a new one, try again now. bellhop-client/auth has it. */
  onUnauthorized?: (failed: string) => Promise<boolean>;
  scope?: Scope;
  /** From the page's own data: where its rows were read. Without it the server's head is asked for. */
  initialCursor?: Cursor | string | (() => Cursor | string | null);
  /** Default true. */
  enabled?: boolean | Flag;
  /** An event that it refuses is dropped and counted as an `error`. */
  schema?: StandardSchema<E> | ((raw: unknown) => E | null);
  /** Default `auto`: a stream, and polls where a proxy holds the stream's answer back. */
  transport?: Transport;
  /** Cookies of another origin too. Default `same-origin`. */
  credentials?: RequestCredentials;

  /** How long the server holds a poll: 25,000. */
  longPollTimeoutMs?: number;
  /** A request is given up after `longPollTimeoutMs` and this: 10,000. */
  requestGraceMs?: number;
  /** `auto` gives a stream this long for its first line: 3,000, or four round trips if that is more. */
  streamProbeMs?: number;
  /** A stream that says nothing for this long is dead: 40,000 (the server says something every 15 s). */
  streamSilenceMs?: number;
  /** `auto` tries the stream again after this long on polls: 600,000. */
  streamRetryMs?: number;
  /** An empty answer that came faster than this (1,500) is followed by a pause of `fastEmptyBackoffMs`. */
  fastEmptyThresholdMs?: number;
  /** [2000, 5000] */
  fastEmptyBackoffMs?: Range;
  /** [3000, 5000], the pause between polls while no tab of the session is visible. */
  hiddenBackoffMs?: Range;
  /** [0, 0], the pause after a poll that ran its full time and brought nothing. */
  idleBackoffMs?: Range;
  /** [3000, 5000], how often a follower looks after the leader. */
  followerCheckMs?: Range;
  /** A leader that has been silent this long is asked if it lives: 10,000. It says so every fifth of it. */
  leaderLeaseMs?: number;
  /** And has this long to answer: 1,500. */
  pingTimeoutMs?: number;
  /** A tab steals leadership once in this long: 30,000, twice as long each time up to 600,000. */
  stealCooldownMs?: number;
  /** Leadership moves to a tab that has been visible for 2 s while the leader's isn't. Default true. */
  preferVisibleLeader?: boolean;
  retry?: RetryOptions;
  /** `offline` is shown after this long without the network: 5,000. */
  offlineGraceMs?: number;
  /** `isConnected` ends after this long without an answer from the server: 60,000. */
  degradedAfterMs?: number;
  /** Event ids kept to drop what comes twice: 1,000. */
  dedupeSize?: number;

  telemetry?: TelemetrySink | false;
  /** 0.02 of the sessions, drawn once a session. */
  telemetrySampleRate?: number;
  fetch?: typeof fetch;
  /** For tests, and for places that are no page (a worker). */
  env?: Partial<RealtimeEnv>;
}

/** What `on()` can listen for. */
export interface ClientEvents<E extends RealtimeEvent = RealtimeEvent> {
  /** In the log's order, each once, and only those of this tab's scope. */
  events: { events: readonly E[]; cursor: Cursor; source: Source };
  /** Something was missed: fetch your data again. */
  gap: { reason: GapReason; cursor: Cursor };
  status: Snapshot;
  role: { role: Role; how: RoleChange };
  error: RealtimeError;
}

export interface RealtimeClient<E extends RealtimeEvent = RealtimeEvent> {
  /** As all of these, harmless when called twice. */
  start(): void;
  /** Steps down and leaves the other tabs to it; `start()` goes on from the same cursor. */
  stop(reason?: string): void;
  /** `stop()` for good: no timer, listener, lock or channel is left when it resolves. */
  close(): Promise<void>;
  /** The same object until something changes: fit for useSyncExternalStore, as is `subscribe`. */
  getSnapshot(): Snapshot;
  /** Calls `onChange` after each change of the snapshot, until the function that it returns is called. */
  subscribe(onChange: () => void): () => void;
  on<K extends keyof ClientEvents<E>>(
    type: K,
    listener: (event: ClientEvents<E>[K]) => void,
    options?: { signal?: AbortSignal },
  ): () => void;
  /**
   * Something may have changed (token, session, network, a button): try again now. Only a pause that the server
   * asked for is kept.
   */
  poke(): void;
  /** Another property. The cursor stays: what has been missed of the new one is a `gap` of reason `first`. */
  setScope(scope: Scope): void;
  /** Resolves once the server has been heard, rejects when that can't happen any more. */
  ready(options?: { signal?: AbortSignal }): Promise<void>;
}

export type TelemetryType =
  | 'fast_empty'
  | 'leader_acquired'
  | 'leader_takeover'
  | 'subscribe_error'
  | 'gap'
  | 'steal';

/** One entry as `POST /telemetry/client` takes it (PROTOCOL.md, 1.9), but for `data`, whose members lie beside the rest there. */
export interface TelemetryEvent {
  eventType: TelemetryType;
  domain: string;
  sessionId: string;
  tabId: string;
  /** This browser's clock, milliseconds since 1970. */
  timestamp: number;
  data: Record<string, number | string | boolean>;
}

export interface TelemetrySink {
  send(event: TelemetryEvent): void;
  /** Sends what waits. */
  flush?(): void;
}

// ---- the surroundings, each replaceable ----

/** Of a LockManager what is used. */
export interface Locks {
  request(
    name: string,
    options: { signal?: AbortSignal; steal?: boolean; ifAvailable?: boolean },
    held: (lock: unknown) => Promise<unknown>,
  ): Promise<unknown>;
}

/** Of a BroadcastChannel what is used. */
export interface Channel {
  postMessage(message: unknown): void;
  close(): void;
  onmessage: ((event: { data: unknown }) => void) | null;
}

export interface KeyStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export type PageEvent =
  | 'visibilitychange'
  | 'pagehide'
  | 'pageshow'
  | 'freeze'
  | 'resume'
  | 'online'
  | 'offline';

/** The page around the client: in a browser, document and window. */
export interface Page {
  visible(): boolean;
  online(): boolean;
  /** `persisted`: the page goes to, or comes from, the back/forward cache. */
  listen(type: PageEvent, listener: (event: { persisted?: boolean }) => void): () => void;
}

export interface RealtimeEnv {
  /** Milliseconds that never go back; for durations. */
  now(): number;
  /** Milliseconds since 1970; for what tabs share and people read. */
  wall(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** 0 ≤ x < 1 */
  random(): number;
  /** A name that nobody else has, [A-Za-z0-9._-]{1,64}. */
  id(): string;
  /** `null`: tabs elect their leader by a lease in `storage`. */
  locks: Locks | null;
  /** `null`: each tab polls for itself. */
  channel: ((name: string) => Channel) | null;
  /** localStorage, if it can be written. */
  storage: KeyStore | null;
  page: Page | null;
}
