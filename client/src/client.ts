// The client: when there is a seat among the tabs, and when not.
import { isCursor } from './cursor.js';
import { createEmitter } from './emitter.js';
import { browserEnv } from './env.js';
import { RealtimeError } from './error.js';
import { createInbox } from './inbox.js';
import { type Seat, takeSeat } from './seat.js';
import { type Settings, settle } from './settings.js';
import { createStore, untroubled } from './store.js';
import type {
  ClientEvents,
  Cursor,
  PageEvent,
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
    const error = new RealtimeError('handler', `a listener for ${String(type)} threw: see cause`, {
      cause,
    });
    if (type !== 'error') events.emit('error', error);
  });
  const store = createStore((snapshot) => {
    seat?.part().changed();
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
  let leaving: Promise<unknown> = Promise.resolve();
  let unlisten: Array<() => void> = [];
  let onlineTimer: unknown;

  /** Why there is to be no seat, or `null`. */
  function idleStatus(key: string | null): Status | null {
    const { enabled = true } = settings;
    if (closed) return 'closed';
    if (!started) return 'idle';
    if (!(typeof enabled === 'function' ? enabled() : enabled)) return 'disabled';
    return away || key === null ? 'paused' : null;
  }

  /** Takes or leaves the seat, as things are now. */
  function evaluate(): void {
    const key = started ? settings.sessionKey() : null;
    const idle = idleStatus(key);
    const old = seat;
    if (old && (idle || old.key !== key)) {
      seat = null;
      leaving = Promise.all([leaving, old.leave()]);
    }
    if (idle) store.set({ ...untroubled, status: idle });
    else if (!seat && key !== null) sit(key);
  }

  function sit(key: string): void {
    if (key !== session) inbox.reset(firstCursor(settings));
    session = key;
    const onError = (error: RealtimeError) => events.emit('error', error);
    seat = takeSeat(
      {
        link: { settings, env, tabId, onError },
        inbox,
        store,
        current,
        onRole: (role, how) => events.emit('role', { role, how }),
      },
      key,
    );
    // Only now: a listener that hears of it may leave again.
    seat.join();
  }

  /** What comes for a session that has ended is nobody's any more. */
  function current(): boolean {
    const good = settings.sessionKey() === seat?.key;
    if (!good) queueMicrotask(evaluate);
    return good;
  }

  function listen(): void {
    const { page } = env;
    const { enabled } = settings;
    const leave = () => {
      away = true;
      evaluate();
    };
    const back = () => {
      if (!away) return;
      away = false;
      evaluate();
    };
    unlisten = [watch(env, onTick)];
    if (typeof enabled === 'function' && enabled.subscribe) unlisten.push(enabled.subscribe(evaluate));
    const on = (type: PageEvent, act: () => void) => page && unlisten.push(page.listen(type, act));
    on('pagehide', leave);
    on('freeze', leave);
    on('pageshow', back);
    on('resume', back);
    on('online', online);
    on('offline', resume);
    on('visibilitychange', () => {
      evaluate();
      seat?.part().visibilityChanged();
    });
  }

  function resume(): void {
    seat?.part().resume();
  }

  function online(): void {
    env.clearTimeout(onlineTimer);
    // Shown at once; the request follows.
    if (seat) store.set({ status: 'connecting', error: null });
    onlineTimer = env.setTimeout(resume, onlineJitterMs * env.random());
  }

  function onTick(sleptMs: number): void {
    evaluate();
    if (sleptMs) resume();
    const { status, lastContactAt } = store.get();
    const silent = env.wall() - Number(lastContactAt);
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
    stop: halt,
    async close() {
      closed = true;
      halt();
      await leaving;
    },
    getSnapshot: store.get,
    subscribe: (onChange) => events.on('status', () => onChange()),
    on: (type, listener, { signal } = {}) => events.on(type, listener, signal),
    poke() {
      evaluate();
      seat?.part().poke();
    },
    setScope(next) {
      const before = scope.propertyId;
      scope = { ...next };
      if (before === scope.propertyId) return;
      // Of a property that wasn't listened to, events may lie before the cursor.
      const cursor = inbox.cursor();
      if (before !== undefined && cursor) inbox.gap('first', cursor);
    },
    ready: ({ signal } = {}) =>
      new Promise((resolve, reject) => {
        const off = events.on('status', look);
        signal?.addEventListener('abort', look);
        function look() {
          const { status } = store.get();
          if (status === 'live') resolve();
          else if (status === 'closed' || signal?.aborted)
            reject(signal?.reason ?? new RealtimeError('gone', 'the client was closed.'));
          else return;
          off();
          signal?.removeEventListener('abort', look);
        }
        look();
      }),
  };
}

function firstCursor({ initialCursor }: Settings): Cursor | null {
  const given = typeof initialCursor === 'function' ? initialCursor() : initialCursor;
  return isCursor(given) ? given : null;
}
