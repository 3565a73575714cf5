// The demo as a part of deploy/quickstart: it comes with it, it is started
// again when it dies, and where it can't be had the rest works without it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { request } from '../lib/http.mjs';
import { Demo, build, quickstart, root, waitFor } from './demo.mjs';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'bellhop-demo-'));
const dirs = [];
const dir = (name) => {
  dirs.push(path.join(scratch, name));
  return dirs.at(-1);
};
const url = (where) => /^BELLHOP_URL='(.*)'$/m.exec(fs.readFileSync(path.join(where, 'env'), 'utf8'))[1];
const pids = (where) => fs.readdirSync(where).filter((name) => name.endsWith('.pid')).sort();
const alive = (pid) => {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
};
after(async () => {
  for (const where of dirs) await quickstart(['--stop', '--dir', where]);
  fs.rmSync(scratch, { recursive: true, force: true });
});

test('it is at /, its backend is started again when killed, and --stop ends it', { timeout: 180_000 }, async () => {
  const demo = await Demo.start();
  try {
    assert.match(demo.out, /The demo, a hotel's task board, is at\s+http:\/\/127\.0\.0\.1:\d+\//);
    const page = await request(`${demo.url}/`);
    assert.equal(page.status, 200);
    assert.match(page.text, /<div id="root">/);
    assert.match(page.headers['content-security-policy'], /default-src 'self'/);
    for (const [, asset] of page.text.matchAll(/(?:src|href)="(\/assets\/[^"]*)"/g)) {
      const res = await request(demo.url + asset);
      assert.equal(res.status, 200);
      assert.match(res.headers['cache-control'], /immutable/);
      assert.match(res.headers['content-type'], asset.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
    }
    // The rest of the paths is Bellhop's, as without a demo.
    for (const pathname of ['/nothing', '/tasks/', '/tasks/nothing', '/hotel', '/index.htm']) {
      assert.equal((await request(demo.url + pathname)).json?.code, 'not_found', pathname);
    }
    assert.equal((await request(`${demo.url}/tasks/events/subscribe`)).status, 410);

    const old = demo.pid('hotel');
    process.kill(old, 'SIGKILL');
    await waitFor('a new backend', () => demo.pid('hotel') !== old && alive(demo.pid('hotel')), { ms: 1000 });
    await waitFor('its health', () => demo.api('GET', '/hotel/healthz').then((res) => res.status === 200, () => false), { ms: 5000 });
    assert.deepEqual(pids(demo.dir), ['broker', 'hotel', 'web', 'worker'].flatMap((part) => [`${part}.pid`, `${part}.supervisor.pid`]).sort());
    const all = pids(demo.dir).map((name) => Number(fs.readFileSync(demo.file(name), 'utf8')));
    await demo.down();
    assert.deepEqual(all.filter(alive), []);
    assert.deepEqual(pids(demo.dir), []);
  } finally {
    await demo.stop();
  }
});

test('two demos run side by side; what is on a board stays there', { timeout: 180_000 }, async () => {
  const [one, two] = [await Demo.start(), await Demo.start()];
  try {
    const { accessToken: token } = await one.login('anna');
    await one.api('POST', '/hotel/api/tasks', { token, body: { taskId: 'kept', propertyId: 'p-canal', title: 'Kept' } });
    await one.down();
    assert.equal((await two.api('GET', '/hotel/healthz')).status, 200);
    await one.up();
    const list = await one.api('GET', '/hotel/api/tasks?propertyId=p-canal', { token: (await one.login('anna')).accessToken });
    assert.ok(list.json.tasks.some((task) => task.taskId === 'kept'));
  } finally {
    await one.stop();
    await two.stop();
  }
});

for (const [what, name] of [['odd', 'it\'s "odd" $HOME é'], ['long', 'l'.repeat(120)]]) {
  test(`in a folder with ${what === 'odd' ? 'an odd' : 'a long'} name, too`, { timeout: 120_000 }, async () => {
    const where = dir(name);
    const { code, out } = await quickstart(['--detach', '--dir', where, '--port', '0', '--server', process.env.BELLHOP_SERVER || 'lighttpd']);
    assert.equal(code, 0, out);
    assert.match((await request(`${url(where)}/tasks`)).text, /<div id="root">/);
    assert.equal((await request(`${url(where)}/hotel/healthz`)).status, 200);
  });
}

// Its main job: an event arrives, Bellhop answers, there is no demo.
async function works(where, { code, out }, reason) {
  assert.equal(code, 0, out);
  assert.match(out, /it arrived: \{"events"/);
  if (reason) assert.match(out, reason);
  else assert.doesNotMatch(out, /no demo|The demo/);
  assert.equal((await request(`${url(where)}/healthz`)).status, 200);
  assert.equal((await request(`${url(where)}/`)).json?.code, 'not_found');
  assert.ok(!fs.existsSync(path.join(where, 'hotel.pid')));
}

test('--no-demo leaves it out', { timeout: 120_000 }, async () => {
  const where = dir('without');
  await works(where, await quickstart(['--detach', '--no-demo', '--dir', where, '--port', '0']));
});

// Stands in for a program: NAME prints TEXT.
function stub(name, text) {
  const bin = fs.mkdtempSync(path.join(scratch, 'bin-'));
  fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return `${bin}:${process.env.PATH}`;
}

test('without Node, or with an old one, the rest works and the reason is told', { timeout: 120_000 }, async () => {
  for (const [name, text, reason] of [
    ['none', 'exit 127', /no demo at \/: it is built with Node 18 or newer, here is none/],
    ['old', 'echo v16.20.2', /no demo at \/: .*here is v16\.20\.2/],
  ]) {
    const where = dir(`node-${name}`);
    await works(where, await quickstart(['--detach', '--dir', where, '--port', '0'], { env: { PATH: stub('node', text) } }), reason);
  }
});

test('without a registry, or with a page that does not build, the same', { timeout: 170_000 }, async () => {
  // A copy of the project that has installed nothing yet.
  const copy = path.join(scratch, 'copy');
  fs.cpSync(root, copy, { recursive: true, filter: (from) => !/^(node_modules|\.git|build.*)$/.test(path.basename(from)) || path.basename(from) === 'build-aux' });
  const program = path.join(copy, 'deploy/quickstart');
  const env = { npm_config_registry: 'http://127.0.0.1:9/', npm_config_cache: path.join(scratch, 'npm-cache') };
  const where = dir('no-registry');
  await works(where, await quickstart(['--detach', '--dir', where, '--port', '0'], { env, program }), /no demo at \/: its page could not be built: .*ECONNREFUSED/);
  assert.ok(fs.existsSync(path.join(build, 'hotel-web/index.html')), 'a page that was built before is left alone');

  fs.symlinkSync(path.join(root, 'examples/hotel/web/node_modules'), path.join(copy, 'examples/hotel/web/node_modules'));
  fs.writeFileSync(path.join(copy, 'examples/hotel/web/src/main.tsx'), 'this is no program (');
  const broken = dir('broken');
  await works(broken, await quickstart(['--detach', '--dir', broken, '--port', '0'], { program }), /no demo at \/: its page could not be built: .*hotel-web\.log/);
});
