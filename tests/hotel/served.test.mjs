// The demo as a part of deploy/quickstart, behind the web server that
// BELLHOP_SERVER names: it is served at /, its backend is started again when it
// dies, and --stop ends it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { request } from '../lib/http.mjs';
import { Demo, quickstart, waitFor } from './demo.mjs';

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
    await waitFor('its health', () => demo.api('GET', '/hotel/healthz').then((res) => res.status === 200, () => false));
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
