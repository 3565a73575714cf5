// gate.mjs: what stands between the browsers and everything else, and writes down
// what passes. It is the one source of truth for the counts: it sees preflights,
// which no browser's tools report, and aborted requests, which a web server's
// access log has only afterwards. It changes nothing: a request goes on with the
// headers that it came with, an answer is passed on as it arrives, and either side
// that leaves takes the other with it.
//
// What each request was: { n, at, end, method, path, query, user, jti, clientId,
// cursor, origin, status, bytes, left, auth }. `at` and `end` are Date.now(), `left`
// says that the browser went before the answer was complete.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { kept } from '../../lib/http.mjs';

const polls = /\/realtime\/(subscribe|stream)$/;
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.map': 'application/json' };

// Connections that have had an answer before they are used. lighttpd looks for the end of a
// cleartext connection only if it once waited for a request on it: it may never hear of a
// client that leaves with the first (docs/servers.md).
class Used extends http.Agent {
  createConnection(options, ready) {
    const socket = net.connect(options);
    const left = () => ready(new Error('closed before it was used'));
    socket.once('error', ready);
    socket.once('close', left);
    socket.once('data', () => {
      socket.off('error', ready).off('close', left);
      ready(null, socket);
    });
    socket.write('HEAD / HTTP/1.1\r\nHost: gate\r\n\r\n');
  }
}

export class Gate {
  log = []; // every request, in the order of arrival
  inFlight = new Map(); // user → set of their polls
  most = new Map(); // user → the most polls in flight at once since resetMost()
  fastEmpty = new Set(); // users whose polls are answered at once, with nothing
  #sockets = new Set();
  #watchers = new Set();

  // `realtime` and `api`: base URLs, set before the first request. `files`: the
  // folder with the page.
  constructor({ files }) {
    this.files = files;
    this.agent = new Used(kept);
    this.servers = [];
  }

  // Listen on another port of 127.0.0.1, which is also another origin.
  async listen() {
    const server = http.createServer((req, res) => this.#serve(req, res));
    server.keepAliveTimeout = 60_000;
    server.requestTimeout = 0;
    server.on('connection', (socket) => {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise((resolve, reject) => {
      server.on('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    this.servers.push(server);
    return server.address().port;
  }

  close() {
    for (const server of this.servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.agent.destroy();
  }

  // ---- what it saw ----

  select({ user, from = 0, to = Infinity, ...more }) {
    return this.log.filter((each) => (user === undefined || each.user === user) && each.at >= from && each.at <= to && Object.entries(more).every(([key, value]) => each[key] === value));
  }

  polls(what) {
    return this.select({ ...what, poll: true });
  }

  gauge(user) {
    return this.inFlight.get(user)?.size ?? 0;
  }

  resetMost(user) {
    this.most.set(user, this.gauge(user));
  }

  // The next request, from now on, of which CONDITION holds; `ended`: not before it
  // is over.
  next(condition, { ms = 20_000, what = 'a request', ended = false } = {}) {
    return new Promise((resolve, reject) => {
      const watcher = (entry, over) => {
        if (over !== ended || !condition(entry)) return;
        done();
        resolve(entry);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`${what} did not come within ${ms} ms`));
      }, ms);
      const done = () => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
      };
      this.#watchers.add(watcher);
    });
  }

  nextPoll(user, condition = () => true, options = {}) {
    return this.next((each) => each.poll && each.user === user && condition(each), { what: `a poll of ${user}`, ...options });
  }

  // ---- passing on ----

  #serve(req, res) {
    const entry = this.#note(req);
    let over = false;
    const end = (left) => {
      if (over) return;
      over = true;
      Object.assign(entry, { end: Date.now(), left });
      if (entry.poll) this.inFlight.get(entry.user)?.delete(entry);
      for (const watcher of [...this.#watchers]) watcher(entry, true);
    };
    res.on('finish', () => end(false));
    res.on('close', () => end(!res.writableFinished));
    for (const watcher of [...this.#watchers]) watcher(entry, false);
    const base = entry.path.startsWith('/api/') ? this.api : /^\/[a-z-]+\/(realtime|events)\/|^\/telemetry\//.test(entry.path) ? this.realtime : null;
    if (entry.poll && this.fastEmpty.has(entry.user)) this.#nothing(entry, res);
    else if (base) this.#pass(base, req, res, entry);
    else this.#file(entry, res);
  }

  #note(req) {
    const [pathname, query = ''] = req.url.split('?');
    const bearer = req.headers.authorization;
    const claims = decode(bearer);
    const entry = {
      n: this.log.length,
      at: Date.now(),
      method: req.method,
      path: pathname,
      query,
      // A preflight has no token; whose it is, nobody can tell.
      user: claims?.sub ?? null,
      jti: claims?.jti ?? null,
      auth: bearer === undefined ? 'none' : claims ? 'token' : 'malformed',
      clientId: req.headers['x-client-id'] ?? null,
      cursor: req.headers['last-event-id'] ?? null,
      origin: req.headers.origin ?? null,
      port: req.socket.localPort,
      poll: req.method === 'GET' && polls.test(pathname),
      status: null,
      bytes: 0,
    };
    this.log.push(entry);
    if (entry.poll) {
      const set = this.inFlight.get(entry.user) ?? new Set();
      this.inFlight.set(entry.user, set.add(entry));
      if (set.size > (this.most.get(entry.user) ?? 0)) this.most.set(entry.user, set.size);
    }
    return entry;
  }

  #pass(base, req, res, entry) {
    const { hostname, port } = new URL(base);
    const out = http.request({ hostname, port, agent: this.agent, method: req.method, path: req.url, headers: flat(req.rawHeaders) });
    out.on('response', (answer) => {
      entry.status = answer.statusCode;
      res.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
      answer.on('data', (part) => (entry.bytes += part.length));
      answer.on('aborted', () => res.destroy());
      answer.pipe(res);
    });
    out.on('error', () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
    res.on('close', () => res.writableFinished || out.destroy());
    req.pipe(out);
  }

  // An answer that says at once that there is nothing: a server that does not wait.
  // The browser keeps the position that it has.
  #nothing(entry, res) {
    entry.status = 200;
    res.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    res.end(JSON.stringify({ events: [], cursor: entry.cursor ?? undefined, gap: null }));
  }

  #file(entry, res) {
    const name = entry.path === '/' || !path.extname(entry.path) ? '/index.html' : entry.path;
    const file = path.join(this.files, path.basename(name));
    if (!fs.existsSync(file)) {
      entry.status = 404;
      res.writeHead(404).end();
      return;
    }
    entry.status = 200;
    res.writeHead(200, { 'Content-Type': types[path.extname(file)] ?? 'application/octet-stream', 'Cache-Control': 'no-cache' });
    res.end(fs.readFileSync(file));
  }
}

// Pairs in a row as Node wants to have them for a request.
function flat(raw) {
  const headers = {};
  for (let i = 0; i < raw.length; i += 2) headers[raw[i]] = raw[i + 1];
  return headers;
}

function decode(bearer) {
  try {
    const claims = JSON.parse(Buffer.from(/^Bearer [^.]+\.([^.]+)\.[^.]+$/.exec(bearer)[1], 'base64url').toString('utf8'));
    return typeof claims.sub === 'string' ? claims : null;
  } catch {
    return null;
  }
}
