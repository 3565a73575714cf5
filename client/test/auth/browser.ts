// A browser of fakes: tabs that share locks, channels and storage. The clock is vitest's.

import { type Auth, type AuthEnv, type AuthOptions, createAuth, type Session } from '../../src/auth/core.js';
import type { Channel, KeyStore, Locks } from '../../src/types.js';

type Waiting = { run: () => Promise<unknown>; resolve: (x: unknown) => void; reject: (e: unknown) => void };

/** Exclusive locks, first come first served. */
export class FakeLocks implements Locks {
  readonly queues = new Map<string, Waiting[]>();

  request(
    name: string,
    options: { signal?: AbortSignal },
    held: (lock: unknown) => Promise<unknown>,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const queue = this.queues.get(name) ?? [];
      this.queues.set(name, queue);
      const entry = { run: () => held({ name }), resolve, reject };
      queue.push(entry);
      options.signal?.addEventListener('abort', () => {
        const at = queue.indexOf(entry);
        if (at > 0) {
          queue.splice(at, 1);
          reject(new DOMException('aborted', 'AbortError'));
        }
      });
      if (queue.length === 1) this.#grant(queue);
    });
  }

  #grant(queue: Waiting[]): void {
    const entry = queue[0];
    if (!entry) return;
    void Promise.resolve()
      .then(entry.run)
      .then(entry.resolve, entry.reject)
      .finally(() => {
        queue.shift();
        this.#grant(queue);
      });
  }
}

export interface Sent {
  channel: string;
  data: Record<string, unknown>;
}

export class FakeBrowser {
  readonly locks = new FakeLocks();
  readonly stored = new Map<string, string>();
  readonly sent: Sent[] = [];
  readonly tabs: Tab[] = [];
  /** How long a message is on its way: later than a lock that is granted meanwhile. */
  latencyMs = 1;
  /** How long one tab's write to storage takes to be read by another. */
  storageLagMs = 0;
  #writes = 0;
  withLocks = true;
  withStorage = true;
  withChannels = true;

  tab(options: Partial<AuthOptions> & Pick<AuthOptions, 'refresh'>): Tab {
    return new Tab(this, options);
  }

  close(): void {
    for (const tab of this.tabs) tab.auth.close();
  }

  /** As devtools do it: every tab is told. What a tab has written since stays what it reads. */
  setItem(key: string, value: string | null, by?: Tab): void {
    const nth = ++this.#writes;
    put(this.stored, key, value);
    by?.wrote.set(key, nth);
    for (const tab of this.tabs) {
      const late = tab === by ? 0 : this.storageLagMs;
      if (!late) put(tab.view, key, value);
      if (tab === by || tab.frozen) continue;
      setTimeout(
        () => {
          if (late && (tab.wrote.get(key) ?? 0) < nth) put(tab.view, key, value);
          tab.stored(key, value);
        },
        Math.max(late, this.latencyMs),
      );
    }
  }
}

function put(map: Map<string, string>, key: string, value: string | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

export class Tab {
  readonly auth: Auth;
  readonly channels: FakeChannel[] = [];
  readonly fetched: { url: string; init: RequestInit; token: string | null }[] = [];
  answer: (url: string, init: RequestInit) => Promise<Response> = async () => new Response('{}');
  online = true;
  frozen = false;
  /** Of storage, what this tab has read so far. */
  readonly view: Map<string, string>;
  /** By key, which of all writes was the last of its own. */
  readonly wrote = new Map<string, number>();
  #storageListeners = new Set<(key: string | null, value: string | null) => void>();
  #pageListeners = new Map<string, Set<(e: object) => void>>();

  constructor(
    readonly browser: FakeBrowser,
    options: Partial<AuthOptions> & Pick<AuthOptions, 'refresh'>,
  ) {
    this.view = new Map(browser.stored);
    browser.tabs.push(this);
    this.auth = createAuth({ ...options, env: { ...this.env(), ...options.env } });
  }

  /** How many listeners, timers apart, the session has left behind. */
  listeners(): number {
    let n = this.#storageListeners.size + this.channels.filter((c) => !c.closed).length;
    for (const set of this.#pageListeners.values()) n += set.size;
    return n;
  }

  stored(key: string | null, value: string | null): void {
    for (const listener of this.#storageListeners) listener(key, value);
  }

  page(type: string): void {
    for (const listener of this.#pageListeners.get(type) ?? []) listener({});
  }

  env(): AuthEnv {
    const { browser } = this;
    return {
      wall: () => Date.now(),
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
      random: () => 0.5,
      id: () => `id${Math.random().toString(36).slice(2)}`,
      locks: browser.withLocks ? browser.locks : null,
      channel: browser.withChannels ? (name) => new FakeChannel(this, name) : null,
      storage: browser.withStorage ? this.#storage() : null,
      page: {
        visible: () => true,
        online: () => this.online,
        listen: (type, listener) => {
          const set = this.#pageListeners.get(type) ?? new Set();
          this.#pageListeners.set(type, set);
          set.add(listener);
          return () => set.delete(listener);
        },
      },
      origin: 'https://app.example',
      resolve: (url) => new URL(url, 'https://app.example/board/').href,
      fetch: async (input, init = {}) => {
        const url = String(input instanceof Request ? input.url : input);
        this.fetched.push({ url, init, token: new Headers(init.headers).get('Authorization') });
        return this.answer(url, init);
      },
      onStorage: (listener) => {
        this.#storageListeners.add(listener);
        return () => this.#storageListeners.delete(listener);
      },
    };
  }

  #storage(): KeyStore {
    return {
      getItem: (key) => this.view.get(key) ?? null,
      setItem: (key, value) => this.browser.setItem(key, value, this),
      removeItem: (key) => this.browser.setItem(key, null, this),
    };
  }
}

class FakeChannel implements Channel {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  closed = false;

  constructor(
    readonly tab: Tab,
    readonly name: string,
  ) {
    tab.channels.push(this);
  }

  postMessage(message: unknown): void {
    const data = structuredClone(message) as Record<string, unknown>;
    this.tab.browser.sent.push({ channel: this.name, data });
    setTimeout(() => {
      for (const tab of this.tab.browser.tabs) {
        for (const channel of tab.channels) {
          if (channel !== this && channel.name === this.name && !channel.closed && !tab.frozen)
            channel.onmessage?.({ data });
        }
      }
    }, this.tab.browser.latencyMs);
  }

  close(): void {
    this.closed = true;
  }
}

let made = 0;

/** A session of an hour for anna, with a token that no other has. */
export function session(over: Partial<Session> = {}): Session {
  made++;
  return {
    accessToken: `token-${made}`,
    expiresAt: Date.now() + 3_600_000,
    userId: 'anna',
    orgId: 'hotel-1',
    sid: 's-1',
    ...over,
  };
}
