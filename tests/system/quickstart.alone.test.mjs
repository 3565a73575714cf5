// deploy/quickstart, as a newcomer runs it, with the web server that
// BELLHOP_SERVER names, and without the demo, which has tests of its own
// (tests/hotel). Alone: it measures seconds.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { request } from '../lib/http.mjs';
import { build, freePort, root } from '../lib/stack.mjs';
import { waitFor } from '../lib/wait.mjs';

const script = path.join(root, 'deploy/quickstart');
const env = { ...process.env, BELLHOP_BUILD: build };
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'bellhop-quick-'));
const parts = ['broker', 'worker', 'web'];
const dirs = [];

const dir = (name) => {
  dirs.push(path.join(scratch, name));
  return dirs.at(-1);
};
const run = (...args) => new Promise((resolve) => {
  execFile(script, args, { env, timeout: 60_000 }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
});
const server = process.env.BELLHOP_SERVER || 'lighttpd';
const start = async (where, ...args) => {
  const done = await run('--detach', '--no-demo', '--dir', where, '--port', '0', '--server', server, ...args);
  assert.equal(done.code, 0, done.stdout + done.stderr);
  return done;
};
const pid = (where, part) => Number(fs.readFileSync(path.join(where, `${part}.pid`), 'utf8'));
const numbers = (where) => fs.readdirSync(where).filter((name) => name.endsWith('.pid')).map((name) => Number(fs.readFileSync(path.join(where, name), 'utf8')));
// One that has ended but that nobody has waited for yet has no command line.
const alive = (number) => {
  try {
    return fs.readFileSync(`/proc/${number}/cmdline`).length > 0;
  } catch {
    return false;
  }
};

// DIR/env as a shell reads it.
const settings = (where) => new Promise((resolve, reject) => {
  execFile('sh', ['-c', '. "$1/env" && printf "%s\\n" "$BELLHOP_URL" "$BELLHOP_CONF" "$BELLHOP_LOG" "$BELLHOP_BIN"', 'sh', where], (error, stdout) => {
    const [url, conf, log, bin] = stdout.split('\n');
    error ? reject(error) : resolve({ url, conf, log, bin });
  });
});
const healthy = (url) => request(`${url}/healthz`).then((res) => res.status === 200, () => false);

after(async () => {
  for (const where of dirs) await run('--stop', '--dir', where);
  fs.rmSync(scratch, { recursive: true, force: true });
});

test('it starts, shows an event, survives kill -9 of each part, and stops', { timeout: 120_000 }, async () => {
  const where = dir('one');
  const done = await start(where);
  assert.match(done.stdout, /it arrived: \{"events":\[\{.*"eventType":"TaskCreated"/);
  const { url, conf, log, bin } = await settings(where);
  for (const file of [conf, log, path.join(bin, 'bellhopctl')]) assert.ok(fs.existsSync(file), file);
  assert.equal(fs.statSync(path.join(where, 'tasks.key')).mode & 0o077, 0, 'the key is private');

  for (const part of parts) {
    const old = pid(where, part);
    process.kill(old, 'SIGKILL');
    if (part === 'worker') {
      await waitFor('its end', () => !alive(old));
      // What it finds of broker and log is waited for below.
      const waited = await request(`${url}/healthz`);
      assert.equal(waited.json?.worker, 'up', `a request waits for the new worker: ${waited.status} ${waited.text}`);
    }
    await waitFor(`a new ${part}`, () => pid(where, part) !== old && alive(pid(where, part)), { ms: 1000 });
    await waitFor(`health after ${part} was killed`, () => healthy(url));
  }
  const again = await run('--detach', '--no-demo', '--dir', where, '--port', '0');
  assert.equal(again.code, 73, again.stderr);
  assert.match(again.stderr, /--stop/);

  const all = numbers(where);
  assert.equal(all.length, 6);
  assert.equal((await run('--stop', '--dir', where)).code, 0);
  assert.deepEqual(all.filter(alive), []);
  assert.deepEqual(numbers(where), []);
  assert.deepEqual(fs.readdirSync(where).filter((name) => name.endsWith('.sock')), []);
});

test('two run side by side, in folders with odd and with long names; what is stored stays', { timeout: 120_000 }, async () => {
  const odd = dir('it\'s "odd" $HOME é');
  const long = dir('l'.repeat(120));
  await Promise.all([start(odd), start(long)]);
  const [a, b] = [await settings(odd), await settings(long)];
  assert.notEqual(a.url, b.url);
  assert.deepEqual([await healthy(a.url), await healthy(b.url)], [true, true]);
  const ids = (log) => new Promise((resolve) => execFile('sqlite3', ['-readonly', log, 'SELECT event_id FROM events'], (_, out) => resolve(out.trim().split('\n'))));
  const first = await ids(a.log);
  assert.equal(first.length, 1);
  await run('--stop', '--dir', odd);
  assert.equal(await healthy(b.url), true, 'the other one goes on');
  await start(odd);
  const both = await ids(a.log);
  assert.deepEqual([both.length, both[0]], [2, first[0]]);
});

test('--stop ends the parts though their supervisors were killed', { timeout: 60_000 }, async () => {
  const where = dir('orphans');
  await start(where);
  for (const part of parts) process.kill(pid(where, `${part}.supervisor`), 'SIGKILL');
  const all = numbers(where);
  assert.equal((await run('--stop', '--dir', where)).code, 0);
  assert.deepEqual(all.filter(alive), []);
  await start(where);
});

test('a number in a pid file that belongs to somebody else is left alone', { timeout: 60_000 }, async () => {
  const where = dir('foreign');
  fs.mkdirSync(where);
  fs.writeFileSync(path.join(where, 'broker.pid'), `${process.pid}\n`);
  assert.equal((await run('--stop', '--dir', where)).code, 0);
  assert.ok(alive(process.pid));
});

test('in the foreground, SIGTERM stops everything', { timeout: 60_000 }, async () => {
  const where = dir('foreground');
  const child = spawn(script, ['--no-demo', '--dir', where, '--port', '0'], { env });
  let text = '';
  child.stdout.on('data', (part) => (text += part));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await waitFor(() => `the prompt\n${text}`, () => text.includes('Ctrl-C stops it'), { ms: 40_000 });
  const all = numbers(where);
  assert.equal(all.length, 6);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.deepEqual(all.filter(alive), []);
});

test('wrong usage, a port that is taken, and where it can\'t build are told plainly', { timeout: 60_000 }, async () => {
  for (const args of [['--nonsense'], ['--port', 'x'], ['--port', '70000'], ['--port'], ['--server', 'iis']]) {
    assert.equal((await run(...args)).code, 64, args.join(' '));
  }
  assert.match((await run('--help')).stdout, /--detach/);
  const spaced = await new Promise((resolve) => {
    execFile(script, ['--no-demo', '--dir', dir('never')], { env: { ...env, BELLHOP_BUILD: path.join(scratch, 'a build') } }, (error, stdout, stderr) => resolve({ code: error?.code, stderr }));
  });
  assert.equal(spaced.code, 73);
  assert.match(spaced.stderr, /a build: it can't be built in a folder with a space/);
  const running = dir('first');
  await start(running);
  const { port } = new URL((await settings(running)).url);
  const late = await run('--detach', '--no-demo', '--dir', dir('second'), '--port', port);
  assert.equal(late.code, 69);
  assert.match(late.stderr, new RegExp(`port ${port} is taken`));
  const free = await freePort();
  const exact = await run('--detach', '--no-demo', '--dir', dirs.at(-1), '--port', `${free}`);
  assert.equal(exact.code, 0, exact.stderr);
  assert.equal(new URL((await settings(dirs.at(-1))).url).port, `${free}`);
});
