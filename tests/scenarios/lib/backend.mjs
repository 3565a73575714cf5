// backend.mjs: the backend of the page under test: it signs users in, refreshes their
// tokens, keeps the tasks of each org in memory, and publishes what happens to them
// through the realtime server that is measured. It counts, and it fails on demand.
import crypto from 'node:crypto';
import http from 'node:http';
import { now, sign } from '../../lib/token.mjs';

const cookieName = 'scenario-session';

export class Backend {
  sessions = new Map(); // sid → { user, org, sid }
  refreshes = []; // { at, user, status }
  aggregates = []; // { at, user, name }
  lists = []; // { at, user }
  failing = new Map(); // user → status with which a refresh is refused
  revoked = new Set(); // jti of tokens that are refused though they have not expired
  ttl = 3600; // of access tokens, in seconds
  #orgs = new Map(); // org → tasks by id
  #jti = 0;

  // `key`: signs tokens. `publish(events)`: to the realtime server. `head(token)`:
  // its position now, or null where it has no such thing.
  constructor({ key, publish, head }) {
    Object.assign(this, { key, publish, head });
  }

  async listen() {
    this.server = http.createServer((req, res) => {
      this.#route(req, res).catch((error) => answer(res, error.status ?? 500, { error: error.message }));
    });
    this.server.keepAliveTimeout = 60_000; // longer than its clients keep a connection
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  tasks(org) {
    if (!this.#orgs.has(org)) this.#orgs.set(org, new Map());
    return this.#orgs.get(org);
  }

  // Store a task, then publish it: it is in the list before anybody hears of it.
  async create(org, { id = crypto.randomUUID(), n = 0, title = `Task ${n}` } = {}) {
    const { event } = this.store(org, { id, n, title });
    await this.publish([event]);
    return event;
  }

  store(org, { id, n, title }) {
    const task = { taskId: id, n, title, status: 'open', version: 1 };
    this.tasks(org).set(id, task);
    return { task, event: { eventId: `${org}-${id}`, eventType: 'TaskCreated', timestamp: Date.now(), orgId: org, payload: task } };
  }

  // ---- requests ----

  async #route(req, res) {
    const { pathname } = new URL(req.url, 'http://backend');
    const found = routes.find(([method, pattern]) => method === req.method && pattern.test(pathname));
    if (!found) return answer(res, 404, { error: 'no such path' });
    const [, pattern, name, open] = found;
    const who = open ? null : this.#who(req);
    if (!open && !who) return answer(res, 401, { error: 'the token is missing, wrong, revoked or expired' });
    const body = req.method === 'POST' ? await read(req) : null;
    return this[name]({ req, res, who, body, id: pattern.exec(pathname)[1] });
  }

  #who(req) {
    const claims = verify(req.headers.authorization, this.key);
    return claims && !this.revoked.has(claims.jti) ? claims : null;
  }

  login({ res, body }) {
    const session = { user: body.user, org: body.org, sid: crypto.randomUUID() };
    this.sessions.set(session.sid, session);
    answer(res, 200, this.#session(session), { 'Set-Cookie': `${cookieName}=${session.sid}; HttpOnly; SameSite=Lax; Path=/api` });
  }

  refresh({ req, res }) {
    const session = this.sessions.get(cookie(req));
    const status = session ? (this.failing.get(session.user) ?? 200) : 401;
    this.refreshes.push({ at: Date.now(), user: session?.user ?? null, status });
    if (status !== 200) return answer(res, status, { error: 'no new token' });
    return answer(res, 200, this.#session(session));
  }

  logout({ req, res }) {
    this.sessions.delete(cookie(req));
    answer(res, 204, null, { 'Set-Cookie': `${cookieName}=; HttpOnly; Path=/api; Max-Age=0` });
  }

  #session({ user, org, sid }) {
    const exp = now() + this.ttl;
    const accessToken = sign({ sub: user, orgId: org, sid, jti: `${user}-${++this.#jti}`, exp }, this.key);
    return { accessToken, expiresAt: Date.now() + this.ttl * 1000, userId: user, orgId: org, sid };
  }

  // The position is read before the rows, so that nothing falls in between.
  async list({ req, res, who }) {
    this.lists.push({ at: Date.now(), user: who.sub });
    const cursor = await this.head(req.headers.authorization);
    answer(res, 200, { tasks: [...this.tasks(who.orgId).values()].sort((a, b) => b.n - a.n), cursor });
  }

  detail({ res, who, id }) {
    const task = this.tasks(who.orgId).get(id);
    answer(res, task ? 200 : 404, task ?? { error: 'no such task' });
  }

  aggregate({ res, who, id }) {
    this.aggregates.push({ at: Date.now(), user: who.sub, name: id });
    answer(res, 200, { total: this.tasks(who.orgId).size });
  }

  async add({ res, who, body }) {
    answer(res, 201, (await this.create(who.orgId, body)).payload);
  }
}

// method, path, what does it, whether without a token
const routes = [
  ['POST', /^\/api\/login$/, 'login', true],
  ['POST', /^\/api\/refresh$/, 'refresh', true],
  ['POST', /^\/api\/logout$/, 'logout', true],
  ['GET', /^\/api\/tasks$/, 'list'],
  ['POST', /^\/api\/tasks$/, 'add'],
  ['GET', /^\/api\/(summary|stats)$/, 'aggregate'],
  ['GET', /^\/api\/tasks\/([^/]+)$/, 'detail'],
];

// What the token of an Authorization header says, or null where it isn't good.
export function verify(header, key) {
  const parts = /^Bearer ([^.]+\.([^.]+))\.([^.]+)$/.exec(header ?? '');
  if (!parts || crypto.createHmac('sha256', key.key).update(parts[1]).digest('base64url') !== parts[3]) return null;
  const claims = JSON.parse(Buffer.from(parts[2], 'base64url').toString('utf8'));
  return claims.exp > Date.now() / 1000 ? claims : null;
}

const cookie = (req) => new RegExp(`(?:^|; )${cookieName}=([^;]*)`).exec(req.headers.cookie ?? '')?.[1];

async function read(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  const text = Buffer.concat(parts).toString('utf8');
  return text === '' ? {} : JSON.parse(text);
}

function answer(res, status, body, headers = {}) {
  const text = body === null ? '' : JSON.stringify(body);
  res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'Content-Length': Buffer.byteLength(text), ...headers });
  res.end(text);
}
