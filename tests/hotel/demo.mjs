// demo.mjs: the demo as deploy/quickstart starts it, in a folder of the test's
// own, and a browser to look at it with.
//
//   const demo = await Demo.forFile();
//   test('…', async () => { const anna = await demo.person('anna'); … });
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach } from 'node:test';
import { chromium } from 'playwright-core';
import { request } from '../lib/http.mjs';
import { build, root } from '../lib/stack.mjs';
import { waitFor } from '../lib/wait.mjs';

export const script = path.join(root, 'deploy/quickstart');
const alarm = /Sanitizer|runtime error:|[Aa]ssertion|stack smashing|corrupted|double free/;

// Run quickstart: { code, out }. `env` adds to its environment.
export const quickstart = (args, { env = {}, program = script } = {}) => new Promise((resolve) => {
  const options = { env: { ...process.env, BELLHOP_BUILD: build, ...env }, timeout: 170_000 };
  execFile(program, args, options, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, out: stdout + stderr }));
});

export class Demo {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bellhop-hotel-'));
  browser = null;

  // `origin`: another one than http://localhost:5173 for pages of other origins.
  static async start({ server = process.env.BELLHOP_SERVER || 'lighttpd', origin } = {}) {
    const demo = new Demo();
    demo.server = server;
    await demo.up();
    if (origin) {
      await demo.down();
      const conf = demo.file('bellhop.conf');
      fs.writeFileSync(conf, fs.readFileSync(conf, 'utf8').replace('http://localhost:5173', origin));
      await demo.up();
    }
    return demo;
  }

  static async forFile(options) {
    const demo = await Demo.start(options);
    after(() => demo.stop());
    // Boards that nobody looks at any more would take their share of the machine.
    afterEach(() => Promise.all((demo.browser?.contexts() ?? []).map((context) => context.close())));
    return demo;
  }

  async up() {
    const { code, out } = await quickstart(['--detach', '--dir', this.dir, '--port', '0', '--server', this.server]);
    assert.equal(code, 0, out);
    this.out = out;
    this.url = /^BELLHOP_URL='(.*)'$/m.exec(fs.readFileSync(this.file('env'), 'utf8'))[1];
    this.port = new URL(this.url).port;
  }

  down() {
    return quickstart(['--stop', '--dir', this.dir]);
  }

  async stop() {
    await this.browser?.close();
    await this.down();
    const words = ['hotel', 'worker', 'broker'].flatMap((name) => this.log(name).split('\n').filter((line) => alarm.test(line)));
    if (process.env.BELLHOP_KEEP) console.error(`kept: ${this.dir}`);
    else fs.rmSync(this.dir, { recursive: true, force: true });
    assert.deepEqual(words, []);
  }

  file(name) {
    return path.join(this.dir, name);
  }

  log(name) {
    return fs.existsSync(this.file(`${name}.log`)) ? fs.readFileSync(this.file(`${name}.log`), 'utf8') : '';
  }

  pid(part) {
    return Number(fs.readFileSync(this.file(`${part}.pid`), 'utf8'));
  }

  // Kill a part and keep it down, until the function that is returned is called.
  async fell(part) {
    const supervisor = this.pid(`${part}.supervisor`);
    process.kill(supervisor, 'SIGSTOP');
    process.kill(this.pid(part), 'SIGKILL');
    return () => process.kill(supervisor, 'SIGCONT');
  }

  // ---- the backend, without a browser ----

  async api(method, pathname, { token, body, headers = {}, ...more } = {}) {
    const auth = token ? { authorization: `Bearer ${token}` } : {};
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    return request(this.url + pathname, { method, headers: { ...type, ...auth, ...headers }, body: text ?? (method === 'GET' ? undefined : ''), ...more });
  }

  async login(user) {
    const res = await this.api('POST', '/hotel/auth/login', { body: { user } });
    assert.equal(res.status, 200, res.text);
    return { ...res.json, cookie: res.headers['set-cookie'][0].split(';')[0] };
  }

  query(file, sql) {
    const text = execFileSync('sqlite3', ['-readonly', '-json', '-cmd', '.timeout 5000', this.file(file), sql], { encoding: 'utf8' });
    return text.trim() === '' ? [] : JSON.parse(text);
  }

  // ---- browsers ----

  async open(options = {}) {
    this.browser ??= await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    context.setDefaultTimeout(30_000);
    return context;
  }

  // A tab, with what its console and its errors said in `tab.complaints`.
  async tab(context) {
    const tab = await context.newPage();
    tab.complaints = [];
    tab.on('pageerror', (error) => tab.complaints.push(error.message));
    tab.on('console', (message) => message.type() === 'error' && tab.complaints.push(`${message.text()} ${message.location().url}`));
    return tab;
  }

  // A browser of its own, signed in, the board live.
  async person(id, { url = `${this.url}/`, ...options } = {}) {
    const tab = await this.tab(await this.open(options));
    await tab.goto(url);
    await enter(tab, id);
    return tab;
  }
}

const names = { anna: 'Anna Keller', bruno: 'Bruno Costa', chiara: 'Chiara Rossi', emeka: 'Emeka Obi', lena: 'Lena Moser', otso: 'Otso Laine' };

export async function enter(tab, id) {
  await tab.getByRole('button', { name: names[id] }).click();
  await live(tab);
}

export async function live(tab) {
  await tab.locator('.presence [data-status=live]').waitFor();
  await tab.locator('.card').first().waitFor();
}

// Add a task by the page's own form.
export async function add(tab, title, { house } = {}) {
  await tab.getByRole('button', { name: 'New task' }).click();
  await tab.getByLabel('What is to be done?').fill(title);
  if (house) await tab.getByRole('combobox', { name: 'House' }).selectOption({ label: house });
  await tab.getByRole('button', { name: 'Add task' }).click();
}

export const card = (tab, title) => tab.locator('.card', { has: tab.getByRole('button', { name: title, exact: true }) });

// It is there, once, and as the server has it.
export const shows = async (tab, title, version = 1) => {
  await card(tab, title).and(tab.locator(`[data-version="${version}"]`)).waitFor();
  assert.equal(await card(tab, title).count(), 1, `"${title}" stands there once`);
};

export const role = (tab) => tab.locator('.presence summary').getAttribute('data-role');
export { build, root, waitFor };
