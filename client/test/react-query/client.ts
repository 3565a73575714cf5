// A client without a server: the test says what it says.
import type { ClientEvents, Cursor, RealtimeClient, RealtimeEvent, Snapshot } from '../../src/types.js';

const cursor = 'log-1' as Cursor;

export class FakeClient implements RealtimeClient {
  snapshot: Snapshot = {
    status: 'live',
    role: 'leader',
    isLeader: true,
    isConnected: true,
    transport: 'poll',
    cursor: null,
    lastEventAt: null,
    lastContactAt: null,
    attempt: 0,
    nextRetryAt: null,
    error: null,
    solo: false,
  };
  readonly calls: string[] = [];
  readonly scopes: object[] = [];
  readonly errors: unknown[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #listeners = new Map<string, Set<(event: never) => void>>();

  listeners(): number {
    let n = this.#watchers.size;
    for (const set of this.#listeners.values()) n += set.size;
    return n;
  }

  start() {
    this.calls.push('start');
  }
  stop() {
    this.calls.push('stop');
  }
  poke() {
    this.calls.push('poke');
  }
  async close() {}
  async ready() {}
  setScope(scope: object) {
    this.scopes.push(scope);
  }

  getSnapshot = () => this.snapshot;
  subscribe = (onChange: () => void) => {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  };

  on<K extends keyof ClientEvents>(type: K, listener: (event: ClientEvents[K]) => void): () => void {
    const set = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, set);
    set.add(listener as never);
    return () => set.delete(listener as never);
  }

  emit<K extends keyof ClientEvents>(type: K, event: ClientEvents[K]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        (listener as (e: unknown) => void)(event);
      } catch (error) {
        this.errors.push(error);
      }
    }
  }

  events(...events: RealtimeEvent[]): void {
    this.snapshot = { ...this.snapshot, lastEventAt: Date.now() };
    this.emit('events', { events, cursor, source: 'poll' });
    this.change({});
  }

  change(over: Partial<Snapshot>): void {
    this.snapshot = { ...this.snapshot, ...over };
    for (const watcher of [...this.#watchers]) watcher();
  }
}

let seq = 0;

export function event(eventType: string, payload: unknown, over: Partial<RealtimeEvent> = {}): RealtimeEvent {
  seq++;
  return { eventId: `e-${seq}`, eventType, timestamp: Date.now(), orgId: 'o', payload, seq, ...over };
}
