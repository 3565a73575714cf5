// The page from Vite's dev server: behind its narrow proxy, and as a page of
// another origin.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { after, test } from 'node:test';
import { request } from '../lib/http.mjs';
import { freePort } from '../lib/stack.mjs';
import { Demo, add, enter, live, root, shows, waitFor } from './demo.mjs';

const web = path.join(root, 'examples/hotel/web');
const [near, far] = [await freePort(), await freePort()];
const demo = await Demo.forFile({ origin: `http://localhost:${far}` });
const slow = { timeout: 120_000 };

// Vite on PORT, with this in its environment.
async function vite(port, env) {
  let said = '';
  const child = spawn(process.execPath, ['node_modules/vite/bin/vite.js', '--port', `${port}`], { cwd: web, env: { ...process.env, ...env } });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += part));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  after(() => {
    child.kill('SIGTERM');
    return ended;
  });
  await waitFor(() => `vite on port ${port}\n${said}`, () => request(`http://localhost:${port}/`).then((res) => res.status === 200, () => false), { ms: 30_000, every: 50 });
}

// Where a tab's requests for data go.
function origins(tab) {
  const seen = new Set();
  tab.on('request', (one) => {
    const { origin, pathname } = new URL(one.url());
    if (/^\/(hotel\/(api|auth)|tasks\/realtime)\//.test(pathname)) seen.add(origin);
  });
  return seen;
}

test('behind the proxy the page talks to its own origin, and keeps its own addresses', slow, async () => {
  await vite(near, { HOTEL_TARGET: demo.url });
  const url = `http://localhost:${near}`;
  const page = await request(`${url}/tasks`, { headers: { accept: 'text/html' } });
  assert.match(page.text, /<div id="root">/, '/tasks is the page');
  assert.equal((await request(`${url}/tasks/realtime/cursor`)).json?.code, 'token_missing', 'what lies under it is Bellhop');

  const anna = await demo.tab(await demo.open());
  const asked = origins(anna);
  await anna.goto(`${url}/tasks?property=p-canal`);
  await enter(anna, 'anna');
  await add(anna, 'From the dev server');
  const emeka = await demo.person('emeka');
  await shows(emeka, 'From the dev server');
  await emeka.getByRole('button', { name: 'Start: From the dev server' }).click();
  await shows(anna, 'From the dev server', 2);
  await anna.reload();
  await live(anna);
  assert.deepEqual([...asked], [url]);
  assert.deepEqual(anna.complaints, []);
});

test('a page of another origin that the configuration names: cookies, cursor and events come across', slow, async () => {
  await vite(far, { VITE_API_URL: `http://localhost:${demo.port}` });
  const anna = await demo.tab(await demo.open());
  const asked = origins(anna);
  await anna.goto(`http://localhost:${far}/`);
  const list = anna.waitForResponse((res) => res.url().includes('/hotel/api/tasks'));
  await enter(anna, 'anna');
  assert.equal((await list).headers()['access-control-allow-origin'], `http://localhost:${far}`);
  await add(anna, 'From another origin');
  const emeka = await demo.person('emeka');
  await shows(emeka, 'From another origin');
  await emeka.getByRole('button', { name: 'Start: From another origin' }).click();
  await shows(anna, 'From another origin', 2);
  // The cookie is of the same site, which knows no ports: it comes along.
  await anna.reload();
  await live(anna);
  assert.deepEqual([...asked], [`http://localhost:${demo.port}`]);
  await anna.getByRole('button', { name: 'Sign out' }).click();
  await anna.getByRole('heading', { name: /Who’s on shift/ }).waitFor();
  await anna.reload();
  await anna.getByRole('heading', { name: /Who’s on shift/ }).waitFor();
  assert.deepEqual(anna.complaints, []);
});

test('a page of an origin that it does not name gets nothing', slow, async () => {
  const other = await freePort();
  await vite(other, { VITE_API_URL: `http://localhost:${demo.port}` });
  const tab = await demo.tab(await demo.open());
  await tab.goto(`http://localhost:${other}/`);
  await tab.getByText('The backend doesn’t answer').waitFor();
  assert.ok(tab.complaints.some((text) => /CORS/.test(text)), tab.complaints.join('\n'));
});
