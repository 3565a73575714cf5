// deploy/quickstart where the demo is not wanted or can't be had: the rest works
// without it, and the reason is told.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { request } from '../lib/http.mjs';
import { build, quickstart, root } from './demo.mjs';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'bellhop-demo-'));
const dirs = [];
const dir = (name) => {
  dirs.push(path.join(scratch, name));
  return dirs.at(-1);
};
const url = (where) => /^BELLHOP_URL='(.*)'$/m.exec(fs.readFileSync(path.join(where, 'env'), 'utf8'))[1];
after(async () => {
  for (const where of dirs) await quickstart(['--stop', '--dir', where]);
  fs.rmSync(scratch, { recursive: true, force: true });
});

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
