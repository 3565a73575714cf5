// Locks, channels, storage and pages of the tabs of one browser.
import { expect } from 'vitest';
import {
  createRealtimeClient,
  type GapReason,
  type KeyStore,
  type Page,
  type PageEvent,
  type RealtimeClient,
  type RealtimeEnv,
  type RealtimeError,
  type RealtimeEvent,
  type RealtimeOptions,
  type Snapshot,
  type TelemetryEvent,
} from '../../src/index.js';
import type { Server } from './server.js';
import { type Owner, World } from './world.js';

// What is loaded on demand takes real time the first time; virtual time doesn't wait for it.
await Promise.allSettled([
  import('../../src/lease-election.js'),
  import('../../src/missing.js'),
  import('../../src/recovery.js'),
  import('../../src/streamer.js'),
]);

// ---- Web Locks ----

interface Request {
  owner: Owner;
  grant: () => void;
  rob: () => void;
}

export class FakeLocks {
  #held = new Map<string, Request>();
  #queues = new Map<string, Request[]>();
  constructor(private world: World) {}

  #ids = new Map<Owner, number>();
  #owners(owner: Owner): number {
    const id = this.#ids.get(owner) ?? this.#ids.size;
    this.#ids.set(owner, id);
    return id;
  }

  holder(name: string): Owner | undefined {
    return this.#held.get(name)?.owner;
  }

  /** Locks held, and requests that wait: `navigator.locks.query()`. */
  count(owner?: Owner): number {
    const all = [...this.#held.values(), ...[...this.#queues.values()].flat()];
    return all.filter((request) => !owner || request.owner === owner).length;
  }

  of(owner: Owner): RealtimeEnv['locks'] {
    return {
      request: (name, { signal, steal }, held) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(abortError());
          const abort = () => {
            if (drop(this.#queue(name), request)) reject(abortError());
          };
          const request: Request = {
            owner,
            rob: () =>
              this.world.post(owner, `lock ${name} ${this.#owners(owner)}`, () => reject(abortError())),
            grant: () => {
              signal?.removeEventListener('abort', abort);
              this.#held.set(name, request);
              // Granted by the browser; the page hears of it when it runs.
              this.world.post(owner, `lock ${name} ${this.#owners(owner)}`, () => {
                Promise.resolve(held({ name }))
                  .then(resolve, reject)
                  .finally(() => this.#release(name, request));
              });
            },
          };
          signal?.addEventListener('abort', abort);
          if (steal) {
            const robbed = this.#held.get(name);
            this.#held.delete(name);
            robbed?.rob();
            request.grant();
          } else {
            this.#queue(name).push(request);
            this.#next(name);
          }
        }),
    };
  }

  /** The tab is gone: so is what it held. */
  forget(owner: Owner): void {
    for (const queue of this.#queues.values())
      while (
        drop(
          queue,
          queue.find((r) => r.owner === owner),
        )
      );
    for (const [name, request] of this.#held) if (request.owner === owner) this.#release(name, request);
  }

  #queue(name: string): Request[] {
    const queue = this.#queues.get(name) ?? [];
    this.#queues.set(name, queue);
    return queue;
  }

  #release(name: string, request: Request): void {
    if (this.#held.get(name) !== request) return;
    this.#held.delete(name);
    this.#next(name);
  }

  #next(name: string): void {
    if (!this.#held.has(name)) this.#queue(name).shift()?.grant();
  }
}

function drop<T>(list: T[], item: T | undefined): boolean {
  const at = item === undefined ? -1 : list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
  return at >= 0;
}

function abortError(): Error {
  return new DOMException('it was aborted', 'AbortError');
}

// ---- BroadcastChannel ----

interface Port {
  name: string;
  owner: Tab;
  onmessage: ((event: { data: unknown }) => void) | null;
}

export class FakeChannels {
  #ports = new Set<Port>();
  /** Everything that was said. */
  said: Array<Record<string, unknown>> = [];
  constructor(private world: World) {}

  open(name: string, owner: Tab) {
    const port: Port & { postMessage(m: unknown): void; close(): void } = {
      name,
      owner,
      onmessage: null,
      close: () => void this.#ports.delete(port),
      postMessage: (message) => {
        if (!this.#ports.has(port)) throw new DOMException('the channel is closed', 'InvalidStateError');
        this.#send(port, structuredClone(message));
      },
    };
    this.#ports.add(port);
    return port;
  }

  #send(from: Port, data: unknown): void {
    this.said.push(data as Record<string, unknown>);
    if (from.owner.mute) return;
    for (const port of this.#ports) {
      if (port === from || port.name !== from.name) continue;
      this.world.post(port.owner, `${from.owner.id}→${port.owner.id}`, () => {
        if (!port.owner.deaf && this.#ports.has(port)) port.onmessage?.({ data });
      });
    }
  }

  count(owner: Owner): number {
    return [...this.#ports].filter((port) => port.owner === owner).length;
  }

  /** Says something as another script of the origin would. */
  inject(name: string, data: unknown): void {
    for (const port of this.#ports) if (port.name === name) port.onmessage?.({ data });
  }
}

// ---- storage, page ----

export class FakeStorage implements KeyStore {
  map = new Map<string, string>();
  broken = false;
  getItem(key: string): string | null {
    if (this.broken) throw new DOMException('blocked', 'SecurityError');
    return this.map.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    if (this.broken) throw new DOMException('full', 'QuotaExceededError');
    this.map.set(key, value);
  }
  removeItem(key: string): void {
    if (this.broken) throw new DOMException('blocked', 'SecurityError');
    this.map.delete(key);
  }
}

export class FakePage implements Page {
  shown = true;
  connected = true;
  #listeners = new Map<PageEvent, Set<(event: { persisted?: boolean }) => void>>();
  visible = () => this.shown;
  online = () => this.connected;

  listen(type: PageEvent, listener: (event: { persisted?: boolean }) => void): () => void {
    const set = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, set.add(listener));
    return () => void set.delete(listener);
  }

  fire(type: PageEvent, event: { persisted?: boolean } = {}): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(event);
  }

  show(visible: boolean): void {
    this.shown = visible;
    this.fire('visibilitychange');
  }

  connect(online: boolean): void {
    this.connected = online;
    this.fire(online ? 'online' : 'offline');
  }

  count(): number {
    return [...this.#listeners.values()].reduce((n, set) => n + set.size, 0);
  }
}

// ---- tabs ----

export interface Without {
  locks?: boolean;
  channel?: boolean;
  storage?: boolean;
}

export class Browser {
  locks: FakeLocks;
  channels: FakeChannels;
  storage = new FakeStorage();
  tabs: Tab[] = [];
  /** Who is signed in, in all tabs. */
  session: string | null = 'org-1/u-1';
  token: string | null = 'token-1';

  constructor(
    readonly world: World,
    readonly server: Server,
    readonly without: Without = {},
  ) {
    this.locks = new FakeLocks(world);
    this.channels = new FakeChannels(world);
  }

  tab(options: Partial<RealtimeOptions> = {}): Tab {
    const tab = new Tab(this, `tab-${this.tabs.length + 1}`, options);
    this.tabs.push(tab);
    tab.client.start();
    return tab;
  }

  leaders(): Tab[] {
    return this.tabs.filter((tab) => !tab.dead && tab.snapshot().isLeader);
  }

  leader(): Tab {
    const [leader, ...more] = this.leaders();
    expect(leader, 'a leader').toBeDefined();
    expect(more, 'only one leader').toEqual([]);
    return leader as Tab;
  }

  follower(): Tab {
    return this.tabs.find((tab) => !tab.dead && tab.snapshot().role === 'follower') as Tab;
  }

  /** Until one leads and all are live. */
  async live(): Promise<void> {
    const alive = () => this.tabs.filter((tab) => !tab.dead && !tab.frozen);
    await this.world.until(
      `live tabs: ${alive().map((tab) => `${tab.id} ${tab.snapshot().role} ${tab.snapshot().status}`)}`,
      () => this.leaders().length >= 1 && alive().every((tab) => tab.snapshot().status === 'live'),
    );
  }
}

export class Tab implements Owner {
  frozen = false;
  dead = false;
  deaf = false;
  mute = false;
  page = new FakePage();
  client: RealtimeClient;
  events: RealtimeEvent[] = [];
  sources: string[] = [];
  gaps: GapReason[] = [];
  /** What it was told to have missed: after the one `seq`, up to and with the other. */
  holes: Array<[after: number, to: number]> = [];
  errors: RealtimeError[] = [];
  roles: string[] = [];
  statuses: string[] = [];
  told: TelemetryEvent[] = [];

  constructor(
    readonly browser: Browser,
    readonly id: string,
    options: Partial<RealtimeOptions>,
  ) {
    this.client = createRealtimeClient({
      domain: 'tasks',
      url: 'https://api.example',
      sessionKey: () => browser.session,
      getToken: () => browser.token,
      transport: 'poll',
      fetch: (url, init) => browser.server.fetch(this, String(url), init as RequestInit),
      ...options,
      env: { ...this.env(), ...options.env },
    });
    this.client.on('events', ({ events, source }) => {
      this.events.push(...events);
      this.sources.push(source);
    });
    this.client.on('gap', ({ reason, cursor }) => {
      this.gaps.push(reason);
      this.holes.push([this.events.at(-1)?.seq ?? 0, Number(cursor.split('-')[1])]);
    });
    this.client.on('error', (error) => this.errors.push(error));
    this.client.on('role', ({ role, how }) => this.roles.push(`${role} ${how}`));
    this.client.on('status', ({ status }) => {
      if (this.statuses.at(-1) !== status) this.statuses.push(status);
    });
  }

  env(): RealtimeEnv {
    const { world, locks, channels, storage, without } = this.browser;
    let ids = 0;
    return {
      now: () => world.time,
      wall: () => world.wall(),
      setTimeout: (run, ms) => world.setTimer(this, run, ms),
      clearTimeout: (timer) => world.clearTimer(timer),
      random: world.random,
      id: () => (ids++ === 0 ? this.id : `${this.id}.${ids}`),
      locks: without.locks ? null : locks.of(this),
      channel: without.channel ? null : (name) => channels.open(name, this),
      storage: without.storage ? null : storage,
      page: this.page,
    };
  }

  snapshot(): Snapshot {
    return this.client.getSnapshot();
  }

  seqs(): number[] {
    return this.events.map((event) => event.seq);
  }

  codes(): string[] {
    return this.errors.map((error) => error.code);
  }

  /** No code of it runs, and what it holds it holds. */
  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    this.frozen = false;
  }

  /** The process is gone; the browser tidies up. */
  crash(): void {
    this.dead = true;
    this.browser.locks.forget(this);
    this.browser.server.forget(this);
  }
}

/** A world with one browser and a server in it. */
export async function open(
  makeServer: (world: World) => Server,
  { seed = 1, without = {} as Without, tabs = 0, options = {} as Partial<RealtimeOptions> } = {},
): Promise<{ world: World; browser: Browser; server: Server; tabs: Tab[] }> {
  const world = new World(seed);
  const server = makeServer(world);
  const browser = new Browser(world, server, without);
  const opened = Array.from({ length: tabs }, () => browser.tab(options));
  if (tabs) await browser.live();
  return { world, browser, server, tabs: opened };
}
