// drain.mjs: the baseline's server: what the playbook's first phase describes, its
// defects included, written afresh from its description. One process, a buffer for
// each org; whoever asks first takes what is in it. It exists to be measured against.
//
//   - no positions: a poll gets what the buffer holds and empties it, for everybody;
//   - a publish wakes the waiters with the whole buffer and leaves it in there;
//   - a filtered waiter sleeps through events of the whole org;
//   - events are forgotten after 25 s, as long as a poll takes, and nobody counts them;
//   - beyond the cap of waiters an empty answer comes at once;
//   - a browser that hangs up stays a waiter until its time is over.
import http from 'node:http';
import { verify } from '../lib/backend.mjs';

const room = 200;
const lifeMs = 25_000;
const pollMs = 25_000;
const waitersPerOrg = 5000;
const idleMs = 120_000;

export class Drain {
  #orgs = new Map(); // org → { kept: [{ event, born }], waiting: Set, used }
  #counts = { published: 0, delivered: 0, dropped: 0 };

  constructor({ key, origins = [] }) {
    Object.assign(this, { key, origins });
  }

  async listen() {
    this.server = http.createServer((req, res) => this.#answer(req, res));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    this.sweep = setInterval(() => this.#sweep(), 60_000);
  }

  close() {
    clearInterval(this.sweep);
    for (const { waiting } of this.#orgs.values()) for (const waiter of waiting) clearTimeout(waiter.timer);
    this.server.close();
    this.server.closeAllConnections();
  }

  publish(event) {
    const org = this.#org(event.orgId);
    org.kept.push({ event, born: Date.now() });
    this.#counts.published++;
    for (; org.kept.length > room; org.kept.shift()) this.#counts.dropped++;
    for (const waiter of [...org.waiting]) {
      if (waiter.property && waiter.property !== event.propertyId) continue;
      waiter.done(seen(org.kept, waiter.property));
    }
  }

  metrics() {
    const orgs = [...this.#orgs.values()];
    const total = orgs.reduce((sum, org) => sum + org.kept.length, 0);
    return {
      orgs: { total: orgs.length, active_last_5m: orgs.filter((org) => org.kept.length + org.waiting.size > 0).length },
      events: { published_total: this.#counts.published, delivered_total: this.#counts.delivered, dropped_total: this.#counts.dropped },
      buffers: { total_size: total, avg_per_org: orgs.length > 0 ? total / orgs.length : 0 },
      subscribers: { active_count: orgs.reduce((sum, org) => sum + org.waiting.size, 0) },
    };
  }

  #org(name) {
    if (!this.#orgs.has(name)) this.#orgs.set(name, { kept: [], waiting: new Set(), used: 0 });
    const org = this.#orgs.get(name);
    org.used = Date.now();
    return org;
  }

  #take(name, property) {
    const org = this.#org(name);
    org.kept = org.kept.filter(({ born }) => Date.now() - born < lifeMs);
    const events = seen(org.kept, property);
    if (events.length > 0) {
      org.kept = org.kept.filter(({ event }) => !events.includes(event));
      this.#counts.delivered += events.length;
      return events;
    }
    if (org.waiting.size >= waitersPerOrg) return [];
    return new Promise((resolve) => {
      const waiter = { property };
      waiter.done = (got) => {
        clearTimeout(waiter.timer);
        org.waiting.delete(waiter);
        this.#counts.delivered += got.length;
        resolve(got);
      };
      waiter.timer = setTimeout(() => waiter.done([]), pollMs);
      org.waiting.add(waiter);
    });
  }

  #sweep() {
    for (const [name, org] of this.#orgs) if (org.waiting.size === 0 && Date.now() - org.used > idleMs) this.#orgs.delete(name);
  }

  // ---- HTTP ----

  async #answer(req, res) {
    const { pathname, searchParams } = new URL(req.url, 'http://drain');
    const cors = this.#cors(req);
    const send = (status, body) => {
      res.writeHead(status, { ...cors, 'Content-Type': 'application/json' });
      res.end(body === undefined ? '' : JSON.stringify(body));
    };
    if (req.method === 'OPTIONS') return send(204);
    const claims = verify(req.headers.authorization, this.key);
    if (!claims) return send(401, { code: 'unauthenticated' });
    if (pathname.endsWith('/realtime/metrics')) return send(200, this.metrics());
    if (pathname.endsWith('/realtime/subscribe')) return send(200, { events: await this.#take(claims.orgId, searchParams.get('propertyId') ?? undefined) });
    return send(404, { code: 'not_found' });
  }

  // As the playbook's configuration asks for it, though it says so in words that its
  // framework does not know.
  #cors(req) {
    if (!this.origins.includes(req.headers.origin)) return {};
    return {
      'Access-Control-Allow-Origin': req.headers.origin,
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Allow-Headers': 'Content-Type, Authorization, X-Request-ID',
      'Access-Control-Max-Age': '7200',
      Vary: 'Origin',
    };
  }
}

const seen = (kept, property) => kept.map(({ event }) => event).filter((event) => !property || !event.propertyId || event.propertyId === property);
