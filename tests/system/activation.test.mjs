// Socket activation: systemd keeps the sockets, so what is sent while a program
// is away waits for the next one instead of being refused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { after } from 'node:test';
import { build, event, root, Stack } from '../lib/stack.mjs';
import { waitFor } from '../lib/wait.mjs';

const stack = await Stack.start();
const kept = [];
after(async () => {
  for (const each of kept) await each.end();
  await stack.stop();
});

// A socket that stays, and the programs that are started with it, one after the
// other. `name`: the part of the stack whose place they take.
class Activated {
  constructor(name, program, socket, ...type) {
    this.log = fs.openSync(stack.file(`${name}-activated.log`), 'a');
    this.socket = stack.file(socket);
    const launcher = path.join(root, 'tests/lib/activated');
    this.child = spawn('systemd-socket-activate', [...type, '-l', this.socket, launcher, path.join(build, program), '-c', stack.lanes[0].conf], {
      stdio: ['pipe', 'pipe', this.log],
    });
    this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    kept.push(this);
  }

  // The sockets of that name: the one that listens, and each connection to it.
  connections() {
    return fs.readFileSync('/proc/net/unix', 'latin1').split('\n').filter((line) => line.endsWith(` ${this.socket}`)).length - 1;
  }

  async open() {
    await waitFor(`${this.socket} to be opened`, () => this.connections() >= 0);
  }

  async start() {
    this.child.stdin.write('start\n');
    const { value } = await this.lines.next();
    this.pid = Number(value);
    assert.ok(this.pid > 1, 'the launcher told a process id');
  }

  async kill(signal) {
    process.kill(this.pid, signal);
    await waitFor(`process ${this.pid} to end`, () => state(this.pid) === 'Z' || state(this.pid) === undefined, { ms: 15_000 });
    this.pid = undefined;
  }

  async end() {
    if (this.pid) await this.kill('SIGTERM');
    this.child.kill('SIGTERM');
    this.child.stdin.end();
    fs.closeSync(this.log);
  }
}

// The letter that /proc has for it; a launcher doesn't always reap at once.
function state(pid) {
  try {
    return /^\d+ \(.*\) (\w)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))[1];
  } catch {
    return undefined;
  }
}

const stored = (sent) => stack.query(`SELECT count(*) AS n FROM events WHERE event_id = '${sent.eventId}'`)[0].n;

stack.test('a worker: publishes sent while it is away are answered 200 by the next one', async () => {
  await stack.kill('worker0', 'SIGTERM');
  fs.rmSync(stack.file('worker0.sock'), { force: true });
  const worker = new Activated('worker', 'bellhop-worker', 'worker0.sock');
  await worker.open();

  // The first request is what starts it.
  const first = event(stack.org());
  const asked = stack.publish(first);
  await worker.start();
  assert.equal((await asked).status, 200);

  for (const signal of ['SIGKILL', 'SIGTERM']) {
    await worker.kill(signal);
    // Not even a worker that was told to stop leaves any: systemd would start
    // it again at once.
    await waitFor(() => `no connection to be left after ${signal}; there are ${worker.connections()}`, () => worker.connections() === 0);
    const sent = [event(stack.org()), event(stack.org())];
    let answered = 0;
    const publishes = sent.map((each) => stack.publish(each).finally(() => answered++));
    await waitFor('both to wait at the socket', () => worker.connections() === 2);
    assert.equal(answered, 0);
    await worker.start();
    for (const res of await Promise.all(publishes)) assert.equal(res.status, 200, `after ${signal}: ${res.text}`);
    for (const each of sent) assert.equal(stored(each), 1);
  }
});

stack.test('a broker: started by its socket, and again after each end; what was published meanwhile arrives', async () => {
  await stack.kill('broker', 'SIGTERM');
  const broker = new Activated('broker', 'bellhopd', 'broker.sock', '--seqpacket');
  await broker.open();
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const away = stack.poll({ org, cursor }); // answered from the log, with or without a broker
  await broker.start();
  assert.equal((await away).status, 200);
  await stack.healthy();

  const poll = stack.poll({ org, cursor });
  const sent = [event(org)];
  await stack.store(sent[0]);
  const first = await poll;
  assert.deepEqual(ids(first), ids({ json: { events: sent } }));

  for (const signal of ['SIGKILL', 'SIGTERM']) {
    await broker.kill(signal);
    assert.ok(fs.existsSync(broker.socket), "systemd's socket is not the broker's to remove");
    const more = event(org);
    sent.push(more);
    await stack.store(more);
    await broker.start();
    await stack.healthy();
    const res = await stack.poll({ org, cursor });
    assert.equal(res.status, 200, res.text);
    assert.deepEqual(ids(res), ids({ json: { events: sent } }), `after ${signal}`);
  }
});

const ids = (res) => res.json.events.map(({ eventId }) => eventId);

// Node can only dial a stream, so the worker's case is check_sock.c's.
stack.test('a socket of another kind is refused with what to set', async () => {
  const socket = stack.file('wrong.sock');
  const child = spawn('systemd-socket-activate', ['-l', socket, path.join(build, 'bellhopd'), '-c', stack.lanes[0].conf], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  let code;
  child.on('close', (status) => (code = status));
  // A connection starts it; whether it is still there to be told of that is chance.
  await waitFor('the broker to end', async () => {
    if (code === undefined) await dial(socket);
    return code !== undefined;
  });
  assert.equal(code, 78, said);
  assert.match(said, /ListenSequentialPacket=/);
});

function dial(socket) {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.on('connect', () => connection.destroy());
    connection.on('error', () => {});
    connection.on('close', resolve);
  });
}
