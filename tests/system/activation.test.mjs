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

// A broker that is away has a socket here, so that whoever asks it waits.
const stack = await Stack.start({ conf: { worker: { broker_timeout_seconds: 1 } } });
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

  // How many connections to the socket there are, taken or not; undefined
  // before it listens.
  connections() {
    const lines = fs.readFileSync('/proc/net/unix', 'latin1').split('\n').filter((line) => line.endsWith(` ${this.socket}`));
    const listening = lines.filter((line) => line.split(/\s+/)[3] === '00010000'); // __SO_ACCEPTCON
    return listening.length > 0 ? lines.length - 1 : undefined;
  }

  async open() {
    await waitFor(`${this.socket} to listen`, () => this.connections() !== undefined);
  }

  async start() {
    this.child.stdin.write('start\n');
    const { value } = await this.lines.next();
    this.pid = Number(value);
    assert.ok(this.pid > 1, 'the launcher told a process id');
  }

  async kill(signal) {
    process.kill(this.pid, signal);
    await waitFor(`process ${this.pid} to end`, () => hasEnded(this.pid), { ms: 60_000 });
    this.pid = undefined;
  }

  async end() {
    if (this.pid) await this.kill('SIGTERM');
    this.child.kill('SIGTERM');
    this.child.stdin.end();
    fs.closeSync(this.log);
  }
}

// A launcher doesn't always reap at once. The first thread can be done while others
// are still dying, and one of those may take a connection along.
function hasEnded(pid) {
  try {
    const [, letter] = /^\d+ \(.*\) (\w)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return letter === 'Z' && fs.readdirSync(`/proc/${pid}/task`).length === 1;
  } catch {
    return true;
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
  const away = stack.poll({ org, cursor, wait: 1 }); // answered from the log, or by the broker that it starts
  await broker.start();
  assert.equal((await away).status, 200);
  await stack.healthy();

  const sent = [event(org)];
  const first = follow(org, cursor, 1);
  await stack.store(sent[0]);
  assert.deepEqual(await first, ids(sent));

  for (const signal of ['SIGKILL', 'SIGTERM']) {
    await broker.kill(signal);
    assert.ok(fs.existsSync(broker.socket), "systemd's socket is not the broker's to remove");
    const more = event(org);
    sent.push(more);
    await stack.store(more);
    await broker.start();
    await stack.healthy();
    assert.deepEqual(await follow(org, cursor, sent.length), ids(sent), `after ${signal}`);
  }
});

const ids = (events) => events.map(({ eventId }) => eventId);

// What a client sees until it has N events. It may have to ask again: a broker
// that takes too long to greet the worker is one that is away.
async function follow(org, cursor, n) {
  const seen = [];
  while (seen.length < n) {
    const res = await stack.poll({ org, cursor });
    assert.equal(res.status, 200, res.text);
    assert.equal(res.json.gap, null, res.text);
    seen.push(...ids(res.json.events));
    cursor = res.json.cursor;
  }
  return seen;
}

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
