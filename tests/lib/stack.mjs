// stack.mjs: a whole Bellhop of a test's own: folder, ports, configuration and
// processes. Nothing is shared, so tests can run side by side.
//
//   const stack = await Stack.forFile();    // ended after the file's tests
//   stack.test('what is promised', async () => { … stack.publish(…) … });
//
// A test that fails shows the last lines of every child; a child that dies by
// itself or writes a word of alarm fails the file.
//
// The programs come from BELLHOP_BUILD, or the folder build of the project; the
// web server is the one that BELLHOP_SERVER names, or lighttpd.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { agent, request } from './http.mjs';
import { makeKeys, now, sign } from './token.mjs';
import { waitFor } from './wait.mjs';
import { prepareWeb, webServer } from './web.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const build = path.resolve(root, process.env.BELLHOP_BUILD ?? 'build');

// Words that no child may ever write: a sanitizer's, or those of a dying program.
const alarm = /Sanitizer|runtime error:|[Aa]ssertion|panic|stack smashing|corrupted|double free/;

// A file that ends before its stacks are stopped leaves nothing running.
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGTERM')));

let keys; // made once in a process: an RSA key takes its time
let events = 0;
let orgs = 0;

// A test that failed may leave a client that comes back for ever, and a file
// that never ends keeps all that are to run after it from running.
function endFile() {
  setTimeout(() => {
    console.error(`${process.argv[1]} is done, but something of it goes on: ended`);
    process.exit(1);
  }, 30_000).unref();
}

export class Stack {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bellhop-test-'));
  agent = agent();
  children = new Map(); // name → { process, command, stopping, ended }
  lanes = []; // a worker and a web server each: { url, port, socket }

  // `conf`: sections and options in place of the defaults below. `lanes`: how
  // many workers, each behind a web server of its own. `server`: which one, for
  // a test of that one. `tls`: files { cert, key }. `web`: lines for the end of
  // Apache's or lighttpd's configuration, or a list of them, one for each lane.
  static async start({ conf = {}, lanes = 1, server, tls, web } = {}) {
    const stack = new Stack();
    stack.web = webServer(server);
    try {
      await stack.#start(conf, lanes, { tls, web });
    } catch (error) {
      console.error(stack.tails());
      await stack.stop({ check: false });
      throw error;
    }
    return stack;
  }

  static async forFile(options) {
    const stack = await Stack.start(options);
    after(async () => {
      endFile();
      await stack.stop();
    });
    return stack;
  }

  test(name, fn, { timeout = 120_000, ...options } = {}) {
    test(name, { timeout, ...options }, async (t) => {
      try {
        await fn(t);
      } catch (error) {
        console.error(this.tails());
        throw error;
      }
    });
  }

  // An org that nothing else uses.
  org() {
    return `org-${++orgs}`;
  }

  async #start(conf, lanes, more) {
    keys ??= makeKeys();
    this.keys = keys;
    this.log = path.join(this.dir, 'log.db');
    for (const key of Object.values(keys)) fs.writeFileSync(path.join(this.dir, `${key.kid}.key`), key.file, { mode: 0o600 });
    prepareWeb(this.web, this, { root, build });
    for (let i = 0; i < lanes; i++) {
      const lane = { i, conf: this.file(`bellhop${i}.conf`), socket: `worker${i}.sock`, worker: path.join(build, 'bellhop-worker'), ...more };
      if (Array.isArray(more.web)) lane.web = more.web[i];
      fs.writeFileSync(lane.conf, confText(merge(defaults(lane.socket), conf)));
      this.lanes.push(lane);
    }
    this.spawn('broker');
    for (let i = 0; i < lanes; i++) {
      if (!this.web.spawns) this.spawn(`worker${i}`);
      await this.#startWeb(i);
    }
    this.url = this.lanes[0].url;
    await this.healthy();
  }

  file(name) {
    return path.join(this.dir, name);
  }

  // A port that is free now may be taken a moment later: then try another.
  async #startWeb(i) {
    const lane = this.lanes[i];
    for (let attempt = 0; ; attempt++) {
      lane.port = await freePort();
      lane.url = `${lane.tls ? 'https' : 'http'}://127.0.0.1:${lane.port}`;
      fs.writeFileSync(this.file(`web${i}.conf`), this.web.main(lane, descriptorLimit()));
      const child = this.spawn(`web${i}`);
      const up = await waitFor(`${this.web.name} on port ${lane.port}`, async () => child.ended || (await accepts(lane.port)));
      if (up === true && !child.ended) return;
      if (attempt === 3) throw new Error(`${this.web.name} does not start`);
    }
  }

  // ---- processes: 'broker', 'worker0', 'web0', 'worker1', … ----

  #command(name) {
    const i = name.at(-1);
    if (name === 'broker') return [path.join(build, 'bellhopd'), '-c', this.lanes[0].conf];
    if (name.startsWith('worker')) return [path.join(build, 'bellhop-worker'), '-c', this.lanes[i].conf];
    return this.web.command(this, i);
  }

  spawn(name) {
    const [program, ...args] = this.#command(name);
    const out = fs.openSync(this.file(`${name}.log`), 'a');
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, UBSAN_OPTIONS: 'print_stacktrace=1' };
    const child = { process: spawn(program, args, { cwd: this.dir, stdio: ['ignore', out, out], env }) };
    fs.closeSync(out);
    running.add(child.process);
    child.process.on('exit', () => running.delete(child.process));
    child.exit = new Promise((resolve) => {
      child.process.on('error', (error) => resolve((child.ended = { error })));
      child.process.on('exit', (code, signal) => resolve((child.ended = { code, signal })));
    });
    this.children.set(name, child);
    return child;
  }

  pid(name) {
    return this.children.get(name).process.pid;
  }

  // Send SIGNAL and wait for the end.
  async kill(name, signal = 'SIGKILL') {
    const child = this.children.get(name);
    child.asked = signal;
    child.process.kill(signal);
    const patience = setTimeout(() => child.process.kill('SIGKILL'), 60_000);
    const ended = await child.exit;
    clearTimeout(patience);
    return ended;
  }

  async restart(name, signal = 'SIGKILL') {
    await this.kill(name, signal);
    this.spawn(name);
  }

  async healthy() {
    for (const lane of this.lanes) {
      await waitFor(() => `${lane.url}/healthz to say 200\n${this.tails()}`, async () => {
        for (const [name, child] of this.children) {
          if (child.ended && !child.asked) throw new Error(`${name} ended at once: ${JSON.stringify(child.ended)}`);
        }
        const res = await request(`${lane.url}/healthz`).catch(() => null);
        return res?.status === 200;
      }, { ms: 60_000, every: 25 });
    }
  }

  // The last lines of every child, for a test that dies.
  tails(lines = 15) {
    return this.logFiles()
      .map((name) => `--- ${name}\n${fs.readFileSync(this.file(name), 'utf8').split('\n').slice(-lines).join('\n')}`)
      .join('\n');
  }

  logFiles() {
    return fs.readdirSync(this.dir).filter((name) => name.endsWith('.log'));
  }

  // End everything, remove the folder; then fail on a child that ended by
  // itself, or badly, or that wrote a word of alarm.
  async stop({ check = true } = {}) {
    const complaints = [];
    this.agent.destroy();
    for (const [name, child] of [...this.children].reverse()) {
      if (child.ended && !child.asked) complaints.push(`${name} ended by itself: ${JSON.stringify(child.ended)}`);
      if (child.ended) continue;
      const ended = await this.kill(name, 'SIGTERM');
      if (ended.code !== 0 && !name.startsWith('web')) complaints.push(`${name}, told to stop, ended with ${JSON.stringify(ended)}`);
    }
    for (const name of this.logFiles()) {
      const line = fs.readFileSync(this.file(name), 'utf8').split('\n').find((text) => alarm.test(text));
      if (line) complaints.push(`${name}: ${line}`);
    }
    if (complaints.length > 0) console.error(this.tails(60));
    if (process.env.BELLHOP_KEEP) console.error(`kept: ${this.dir}`);
    else fs.rmSync(this.dir, { recursive: true, force: true });
    if (check) assert.deepEqual(complaints, []);
  }

  // ---- tokens ----

  // A good token; `claims` adds to it or overrides.
  token({ sub = 'u-1', org, properties, scope, ttl = 600, key = 'hs', claims = {} } = {}) {
    return sign({ sub, orgId: org, properties, scope, exp: now() + ttl, ...claims }, this.keys[key]);
  }

  get publisher() {
    return (this.publisherToken ??= this.token({ sub: 'backend', scope: 'realtime:publish', ttl: 3600 }));
  }

  // ---- requests ----

  // `at`: which lane. `token: null` sends none.
  request(pathname, { at = 0, token = null, headers = {}, ...options } = {}) {
    const auth = token === null ? {} : { authorization: `Bearer ${token}` };
    return request(this.lanes[at].url + pathname, { agent: this.agent, headers: { ...auth, ...headers }, ...options });
  }

  // A subscribe. Who asks: a token, or what a token is to say (org, sub, …).
  // `cursor` goes into Last-Event-ID.
  poll({ token, cursor, clientId, propertyId, wait, headers = {}, signal, at, agent, ...who }) {
    const query = new URLSearchParams();
    if (propertyId !== undefined) query.set('propertyId', propertyId);
    if (wait !== undefined) query.set('wait', wait);
    const more = { ...headers };
    if (cursor) more['last-event-id'] = cursor;
    if (clientId) more['x-client-id'] = clientId;
    const options = { token: token ?? this.token(who), headers: more, signal, at };
    if (agent) options.agent = agent;
    return this.request(`/tasks/realtime/subscribe${`${query}` && `?${query}`}`, options);
  }

  // A publish: an event, an array of them, or a body as text.
  publish(body, { token = this.publisher, type = 'application/json', ...options } = {}) {
    const text = Array.isArray(body) ? JSON.stringify({ events: body }) : typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return this.request('/tasks/realtime/publish', { method: 'POST', token, body: text, ...options, headers: { 'content-type': type, ...options.headers } });
  }

  // Publish, and fail unless it was taken; the results.
  async store(body, options) {
    const res = await this.publish(body, options);
    assert.equal(res.status, 200, res.text);
    return res.json.results;
  }

  async cursor(who) {
    const res = await this.request('/tasks/realtime/cursor', { token: this.token(who) });
    assert.equal(res.status, 200, res.text);
    return res.json.cursor;
  }

  // ---- looking inside ----

  // Rows of a query on the log, through the sqlite3 program.
  query(sql) {
    const text = execFileSync('sqlite3', ['-readonly', '-json', '-cmd', '.timeout 5000', this.log, sql], { encoding: 'utf8' });
    return text.trim() === '' ? [] : JSON.parse(text);
  }

  integrity() {
    assert.deepEqual(this.query('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  }

  descriptors(name = 'broker') {
    return fs.readdirSync(`/proc/${this.pid(name)}/fd`).length;
  }

  // How many parked requests the broker holds: its Unix stream sockets, since
  // what it has with the workers are packets.
  parked() {
    const streams = new Set();
    for (const line of fs.readFileSync('/proc/net/unix', 'latin1').split('\n')) {
      const [, , , , type, state, inode] = line.trim().split(/\s+/);
      if (type === '0001' && state === '03') streams.add(`socket:[${inode}]`);
    }
    const folder = `/proc/${this.pid('broker')}/fd`;
    return fs.readdirSync(folder).filter((fd) => streams.has(link(`${folder}/${fd}`))).length;
  }

  waiters(n, ms = 30_000) {
    return waitFor(() => `${n} waiters; there are ${this.parked()}`, () => this.parked() === n, { ms, every: 10 + n / 20 });
  }

  // Those whose client has left are gone long before their time; how soon is printed.
  async freed(t) {
    const begun = Date.now();
    await this.waiters(0, 5000);
    t.diagnostic(`freed after ${Date.now() - begun} ms`);
  }

  // Resident memory in KiB.
  memory(name = 'broker') {
    return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${this.pid(name)}/status`, 'utf8'))[1]);
  }
}

// An event like any other; an own eventId unless one is given.
export function event(org, more = {}) {
  return {
    eventId: `${process.pid}-${++events}-${crypto.randomBytes(3).toString('hex')}`,
    eventType: 'TaskCreated',
    timestamp: Date.now(),
    orgId: org,
    payload: { taskId: `t-${events}` },
    ...more,
  };
}

// ---- configuration ----

function defaults(socket) {
  const key = ({ kid, alg }) => [kid, { algorithm: alg, file: `${kid}.key` }];
  return {
    log: { path: 'log.db' },
    broker: { socket: 'broker.sock' },
    // The machine may stand still for longer than a second.
    worker: { socket, broker_timeout_seconds: 20 },
    token: {},
    cors: { origins_with_credentials: ['http://localhost:5173'], origins: ['https://open.example'] },
    key: Object.fromEntries(Object.values(keys).map(key)),
    domain: { tasks: {}, retired: { legacy: true }, off: { enabled: false } },
  };
}

function merge(base, over) {
  const out = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const both = value?.constructor === Object && out[name]?.constructor === Object;
    out[name] = both ? merge(out[name], value) : value;
  }
  return out;
}

const titled = new Set(['key', 'domain']);

function confText(sections) {
  const lines = [];
  for (const [name, value] of Object.entries(sections)) {
    if (titled.has(name)) {
      for (const [title, options] of Object.entries(value)) lines.push(section(`${name} "${title}"`, options));
    } else if (value?.constructor === Object) {
      lines.push(section(name, value));
    } else {
      lines.push(option([name, value]));
    }
  }
  return `${lines.join('\n')}\n`;
}

const section = (head, options) => `${head} {\n${Object.entries(options).map((each) => `    ${option(each)}\n`).join('')}}`;
const option = ([name, value]) => `${name} = ${literal(value)}`;
const literal = (value) =>
  Array.isArray(value) ? `{ ${value.map(literal).join(', ')} }` : typeof value === 'string' ? JSON.stringify(value) : String(value);

// Node raises its own limit to the hard one; children inherit it.
export function descriptorLimit() {
  const text = /Max open files\s+(\S+)/.exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1];
  return text === 'unlimited' ? 1 << 20 : Number(text);
}

// A descriptor may be gone by the time it is looked at.
function link(name) {
  try {
    return fs.readlinkSync(name);
  } catch {
    return '';
  }
}

// ---- ports ----

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => socket.destroy() && resolve(true));
    socket.on('error', () => resolve(false));
  });
}
