// rig.mjs: everything that a page needs, of its own: realtime server, backend and gate.
//
//   ours      our page, Bellhop behind lighttpd
//   strict    the same page, built for development
//   baseline  the playbook's hook and page, the draining server
//   mixed     the playbook's hook and page, which know no cursor, on Bellhop
//
// The page is at `origin`; `elsewhere` is the same gate at another origin.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { request } from '../../lib/http.mjs';
import { Stack } from '../../lib/stack.mjs';
import { makeKeys } from '../../lib/token.mjs';
import { Drain } from '../baseline/drain.mjs';
import { Backend } from './backend.mjs';
import { Gate } from './gate.mjs';
import { buildPage } from './pages.mjs';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bellhop-pages-'));
process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));
const built = new Map(); // page → promise of its folder

const folder = (page) => {
  if (!built.has(page)) built.set(page, buildPage(page, dir));
  return built.get(page);
};

let people = 0;
let events = 0;

export class Rig {
  static async start(kind, { conf = {} } = {}) {
    const rig = new Rig();
    rig.kind = kind;
    rig.gate = new Gate({ files: await folder(kind === 'mixed' ? 'baseline' : kind) });
    rig.port = await rig.gate.listen();
    rig.origin = `http://localhost:${rig.port}`;
    rig.elsewhere = `http://localhost:${await rig.gate.listen()}`;
    const key = kind === 'baseline' ? await rig.#drain() : await rig.#bellhop(conf);
    rig.backend = new Backend({ key, publish: (list) => rig.publish(list), head: (bearer) => rig.#head(bearer) });
    await rig.backend.listen();
    rig.gate.api = rig.backend.url;
    return rig;
  }

  async #bellhop(conf) {
    const cors = { origins_with_credentials: [this.origin] };
    // What the tests' stack sets apart is here as it is delivered.
    this.stack = await Stack.start({ conf: { cors, worker: { broker_timeout_seconds: 1 }, ...conf } });
    this.gate.realtime = this.stack.url;
    return this.stack.keys.hs;
  }

  async #drain() {
    const key = makeKeys().hs;
    this.drain = new Drain({ key, origins: [this.origin] });
    await this.drain.listen();
    this.gate.realtime = this.drain.url;
    return key;
  }

  async stop() {
    this.gate.close();
    this.backend.close();
    this.drain?.close();
    await this.stack?.stop();
  }

  // Somebody whom nobody else is, in an org of his own unless one is named.
  who({ org = `o-${++people}` } = {}) {
    return { user: `u-${++people}`, org };
  }

  async publish(list) {
    if (this.drain) list.forEach((event) => this.drain.publish(event));
    else await this.stack.store(list.length === 1 ? list[0] : list);
  }

  // An event that only says a number; the ticker shows it.
  tick(org, n) {
    return { eventId: `tick-${++events}`, eventType: 'Tick', timestamp: Date.now(), orgId: org, payload: { n } };
  }

  async metrics() {
    if (this.drain) return this.drain.metrics();
    const token = this.stack.token({ scope: 'realtime:metrics' });
    return (await this.stack.request('/tasks/realtime/metrics', { token })).json;
  }

  async #head(bearer) {
    if (this.drain) return null;
    const answer = await request(`${this.stack.url}/tasks/realtime/cursor`, { headers: { authorization: bearer }, agent: this.stack.agent });
    return answer.json?.cursor ?? null;
  }
}

// Publishes 1, 2, 3 … to an org, so many a second, until it is stopped.
export class Numbers {
  last = 0;

  constructor(rig, org, { perSecond = 10 } = {}) {
    Object.assign(this, { rig, org });
    this.timer = setInterval(() => this.#one(), 1000 / perSecond);
    this.open = Promise.resolve();
  }

  // One after the other, so that the order in which they were published is known.
  #one() {
    const n = ++this.last;
    this.open = this.open.then(() => this.rig.publish([this.rig.tick(this.org, n)])).catch((error) => {
      clearInterval(this.timer);
      this.error = error;
    });
  }

  // The last number, once it is published.
  async stop() {
    clearInterval(this.timer);
    await this.open;
    if (this.error) throw this.error;
    return this.last;
  }
}
