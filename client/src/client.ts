// The client: when there is a seat among the tabs, and when not.
import { isCursor } from './cursor.js';
import { createEmitter, type Emitter } from './emitter.js';
import { browserEnv } from './env.js';
import { RealtimeError } from './error.js';
import { createInbox } from './inbox.js';
import { type Seat, takeSeat } from './seat.js';
import { type Settings, settle } from './settings.js';
import { createStore, type Store } from './store.js';
import type {
  ClientEvents,
  Cursor,
  RealtimeClient,
  RealtimeEvent,
  RealtimeOptions,
  Scope,
  Status,
} from './types.js';
import { watch } from './watchdog.js';

/** Coming online, tabs and machines would all ask in the same moment. */
const onlineJitterMs = 500;

/** Makes a client; nothing happens before `start()`. */
export function createRealtimeClient<E extends RealtimeEvent = RealtimeEvent>(
  options: RealtimeOptions<E>,
): RealtimeClient<E> {
  const settings = settle(options);
  const env = browserEnv(options.env);
  const tabId = env.id();
  const events = createEmitter<ClientEvents<E>>((type, cause) => {
    const error = new RealtimeError('handler', `a listener for '${String(type)}' threw: see cause.`, {
      cause,
    });
    if (type !== 'error') events.emit('error', error);
  });
  const store = createStore((snapshot) => {
    seat?.changed();
    events.emit('status', snapshot);
  });
  let scope: Scope = settings.scope ?? {};
  const inbox = createInbox<E>(
    { dedupeSize: settings.dedupeSize, schema: options.schema, scope: () => scope },
    events,
    store,
    env.wall,
  );
  let started = false;
  let closed = false;
  /** In the back/forward cache, or frozen: whoever holds a lock there holds it for nothing. */
  let away = false;
  let seat: Seat | null = null;
  /** The session that the inbox's cursor belongs to. */
  let session: string | null = null;
  const leaving = new Set<Promise<void>>();
  let unlisten: Array<() => void> = [];
  let onlineTimer: unknown;

  /** What the app answers; where it throws, the worst. */
  function asked<T>(question: () => T, worst: T): T {
    try {
      return question();
    } catch (cause) {
      const message = 'sessionKey, enabled or initialCursor threw: see cause.';
      events.emit('error', new RealtimeError('handler', message, { cause }));
      return worst;
    }
  }

  function enabled(): boolean {
    const { enabled = true } = settings;
    return typeof enabled === 'function' ? asked(enabled, false) : enabled;
  }

  function sessionKey(): string | null {
    return asked(settings.sessionKey, null);
  }

  /** Why there is to be no seat, or `null`. */
  function idleStatus(key: string | null): Status | null {
    if (closed) return 'closed';
    if (!started) return 'idle';
    if (!enabled()) return 'disabled';
    return away || key === null ? 'paused' : null;
  }

  /** Takes or leaves the seat, as things are now. */
  function evaluate(): void {
    const key = started ? sessionKey() : null;
    const idle = idleStatus(key);
    if (seat && (idle !== null || seat.key !== key)) {
      const left: Promise<void> = seat.leave().finally(() => leaving.delete(left));
      leaving.add(left);
      seat = null;
    }
    if (idle !== null) {
      store.set({ status: idle, role: 'none', attempt: 0, nextRetryAt: null });
    } else if (!seat && key !== null) {
      sit(key);
    }
  }

  function sit(key: string): void {
    if (key !== session) {
      inbox.reset(asked(() => firstCursor(settings), null));
      session = key;
    }
    const tab = {
      link: { settings, env, tabId, onError: (error: RealtimeError) => events.emit('error', error) },
      inbox,
      store,
      scope: () => scope,
      current,
      onRole: (role: ClientEvents<E>['role']['role'], how: ClientEvents<E>['role']['how']) =>
        events.emit('role', { role, how }),
    };
    seat = takeSeat(tab, key);
  }

  /** What comes for a session that has ended is nobody's any more. */
  function current(): boolean {
    if (seat && sessionKey() === seat.key) return true;
    queueMicrotask(evaluate);
    return false;
  }

  function listen(): void {
    const { page } = env;
    const leave = () => {
      away = true;
      evaluate();
    };
    const back = () => {
      away = false;
      evaluate();
      seat?.resume();
    };
    unlisten = [watch(env, onTick)];
    if (typeof settings.enabled === 'function' && settings.enabled.subscribe) {
      unlisten.push(settings.enabled.subscribe(evaluate));
    }
    if (!page) return;
    unlisten.push(
      page.listen('pagehide', leave),
      page.listen('freeze', leave),
      page.listen('pageshow', () => away && back()),
      page.listen('resume', () => away && back()),
      page.listen('visibilitychange', () => {
        evaluate();
        seat?.visibilityChanged();
      }),
      page.listen('offline', () => seat?.resume()),
      page.listen('online', online),
    );
  }

  function online(): void {
    env.clearTimeout(onlineTimer);
    if (!seat) return;
    // Shown at once; the request follows.
    store.set({ status: 'connecting', error: null });
    onlineTimer = env.setTimeout(() => seat?.resume(), onlineJitterMs * env.random());
  }

  function onTick(sleptMs: number): void {
    evaluate();
    if (sleptMs > 0) seat?.resume();
    const { status, lastContactAt } = store.get();
    const silent = env.wall() - (lastContactAt ?? env.wall());
    if (status === 'live' && silent > settings.degradedAfterMs) store.set({ status: 'degraded' });
  }

  function halt(): void {
    started = false;
    for (const off of unlisten) off();
    unlisten = [];
    env.clearTimeout(onlineTimer);
    evaluate();
  }

  return {
    start() {
      if (started || closed) return;
      started = true;
      away = false;
      listen();
      evaluate();
    },
    stop: () => halt(),
    async close() {
      closed = true;
      halt();
      await Promise.all(leaving);
    },
    getSnapshot: store.get,
    subscribe: (onChange) => events.on('status', () => onChange()),
    on: (type, listener, { signal } = {}) => events.on(type, listener, signal),
    poke() {
      evaluate();
      seat?.poke();
    },
    setScope(next) {
      const before = scope.propertyId;
      scope = { ...next };
      if (before === scope.propertyId) return;
      seat?.scopeChanged();
      // Of a property that wasn't listened to, events may lie before the cursor.
      const cursor = inbox.cursor();
      if (before !== undefined && cursor) inbox.gap('first', cursor);
    },
    ready: ({ signal } = {}) => whenLive(store, events, signal),
  };
}

function firstCursor({ initialCursor }: Settings): Cursor | null {
  const given = typeof initialCursor === 'function' ? initialCursor() : initialCursor;
  return isCursor(given) ? given : null;
}

function whenLive(
  store: Store,
  events: Pick<Emitter<ClientEvents>, 'on'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const off = events.on('status', look);
    signal?.addEventListener('abort', look);
    function look() {
      const { status } = store.get();
      const over = signal?.aborted || status === 'closed';
      if (status !== 'live' && !over) return;
      off();
      signal?.removeEventListener('abort', look);
      if (over) reject(signal?.reason ?? new RealtimeError('gone', 'the client was closed.'));
      else resolve();
    }
    look();
  });
}
