// Tabs of one browser, without a browser: Node's BroadcastChannel and fetch, a
// Map for localStorage. There are no Web Locks, so they elect by lease.
import { createRealtimeClient } from '../../dist/index.js';

export class Browser {
  #storage = new Map();
  #open = new Set();

  constructor(stack, who) {
    Object.assign(this, { stack, who });
  }

  get storage() {
    const map = this.#storage;
    return {
      getItem: (k) => map.get(k) ?? null,
      setItem: (k, v) => map.set(k, String(v)),
      removeItem: (k) => map.delete(k),
    };
  }

  // A tab that keeps account of what it hears.
  tab(options = {}) {
    const heard = { events: [], gaps: [], errors: [], roles: [], statuses: [] };
    const client = createRealtimeClient({
      domain: 'tasks',
      url: this.stack.url,
      sessionKey: () => `${this.who.org}/${this.who.sub ?? 'u-1'}`,
      getToken: () => this.stack.token(this.who),
      followerCheckMs: [100, 200],
      leaderLeaseMs: 1_000,
      retry: { baseMs: 100, maxMs: 500 },
      ...options,
      env: { locks: null, storage: this.storage, ...options.env },
    });
    client.on('events', ({ events }) => heard.events.push(...events));
    client.on('gap', ({ reason }) => heard.gaps.push(reason));
    client.on('error', (error) => heard.errors.push(error));
    client.on('role', (role) => heard.roles.push(role));
    client.on('status', ({ status }) => heard.statuses.push(status));
    client.start();
    const tab = Object.assign(heard, { client, ids: () => heard.events.map((e) => e.eventId) });
    this.#open.add(tab);
    return tab;
  }

  async close() {
    await Promise.all([...this.#open].map((tab) => tab.client.close()));
  }
}
