// docs/publish.md has the files of examples/publish word for word, and each of
// them does what it promises: against the real server, through a line that
// breaks, and with answers that tell it to wait or to stop.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { event, root, Stack } from '../lib/stack.mjs';
import { range, sleep, waitFor } from '../lib/wait.mjs';

const folder = path.join(root, 'examples/publish');
const page = fs.readFileSync(path.join(root, 'docs/publish.md'), 'utf8');
const stack = await Stack.forFile();

const has = (program) => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

// How each is run; what it needs beside what tests need anyway.
const examples = {
  'publish.sh': { needs: ['curl', 'jq'], command: ['sh', 'publish.sh'] },
  'publish.c': { needs: ['cc', 'curl-config'], command: [stack.file('publish')] },
  'publish.php': { needs: ['php'], command: ['php', 'publish.php'] },
  'publish.py': { needs: ['python3'], command: ['python3', 'publish.py'] },
  'publish.mjs': { needs: ['node'], command: ['node', 'publish.mjs'] },
  'Publish.java': { needs: ['javac'], command: ['java', 'Publish.java'] },
};

function run([program, ...args], more, url = stack.url, token = stack.publisher) {
  const env = { ...process.env, BELLHOP_URL: url, BELLHOP_TOKEN: token, PYTHONDONTWRITEBYTECODE: '1' };
  return new Promise((resolve) => {
    execFile(program, [...args, ...more], { cwd: folder, env, timeout: 100_000 }, (error, out, err) => resolve({ code: error?.code ?? 0, out, err }));
  });
}

// A server before the real one: `plan` says what becomes of each request in turn.
//   'cut': passed on, but the answer never arrives; 'pass'; { status, headers },
//   of which with `half` only the beginning arrives.
async function between(plan) {
  const bodies = [];
  const times = [];
  const server = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('end', async () => {
      const body = Buffer.concat(parts);
      const what = plan[Math.min(bodies.length, plan.length - 1)];
      bodies.push(body.toString());
      times.push(performance.now());
      if (what.half) {
        res.writeHead(what.status, { 'content-length': 100 });
        return res.write('{"code":', () => req.socket.destroy());
      }
      if (what !== 'cut' && what !== 'pass') return res.writeHead(what.status, what.headers).end('{"code":"broker_down"}');
      const answer = await stack.request(req.url, { method: 'POST', body, headers: { authorization: req.headers.authorization, 'content-type': req.headers['content-type'] } });
      if (what === 'cut') return req.socket.destroy();
      return res.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.text);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return { url: `http://127.0.0.1:${server.address().port}`, bodies, times };
}

stack.test('the page has every example as it is in its file', async () => {
  const files = fs.readdirSync(folder).filter((name) => !name.startsWith('.') && name !== '__pycache__');
  assert.deepEqual(new Set(files), new Set([...Object.keys(examples), 'outbox.py']), 'each file is tried here');
  for (const name of files) {
    const text = fs.readFileSync(path.join(folder, name), 'utf8');
    assert.ok(page.includes(`](../examples/publish/${name})`), `the page links to ${name}`);
    assert.ok(page.includes(`\n\`\`\`${{ sh: 'sh', c: 'c', php: 'php', py: 'python', mjs: 'js', java: 'java' }[name.split('.').at(-1)]}\n${text}\`\`\`\n`), `the page has ${name} word for word`);
  }
});

for (const each of Object.values(examples)) {
  const missing = each.needs.filter((program) => !has(program));
  each.skip = missing.length > 0 && `${missing.join(', ')} isn't installed: deploy/packages publish`;
}
if (!examples['publish.c'].skip) {
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'libcurl', 'libcjson'], { encoding: 'utf8' }).trim().split(/\s+/);
  execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', examples['publish.c'].command[0], path.join(folder, 'publish.c'), ...flags]);
}

// All of them at once, since most of it is waiting.
async function badDay(command) {
  const org = stack.org();
  const line = await between(['cut', { status: 401, half: true }, { status: 503, headers: { 'retry-after': '1' } }, { status: 429, headers: { 'retry-after': '2' } }, 'pass']);
  const never = await between([{ status: 503, headers: { 'retry-after': '1' } }]);
  const [done, late] = await Promise.all([run(command, [org, 'T', '{"a":1}'], line.url), run(command, [org, 'T', '{"a":2}'], never.url)]);
  return { org, line, never, done, late };
}
let begun;
const badDays = () => (begun ??= Object.fromEntries(Object.entries(examples).filter(([, { skip }]) => !skip).map(([name, { command }]) => [name, badDay(command)])));

for (const [name, { command, skip }] of Object.entries(examples)) {
  stack.test(`${name}: stored and delivered; a conflict and a mistake are told from a bad day`, async () => {
    badDays();
    const org = stack.org();
    const cursor = await stack.cursor({ org });
    const id = `${name}-${process.pid}`;
    const payload = '{"title":"Zimmer 7 \\"Süd\\"","n":1.5,"empty":{},"list":[]}';
    const good = await run(command, [org, 'Task "x"', payload, id]);
    assert.equal(good.code, 0, good.err);
    assert.match(good.out, /stored/);
    const { events } = (await stack.poll({ org, cursor })).json;
    assert.deepEqual(events.map((each) => [each.eventId, each.eventType, each.payload]), [[id, 'Task "x"', JSON.parse(payload)]]);
    assert.ok(Math.abs(events[0].timestamp - Date.now()) < 60_000);

    const own = await run(command, [org, 'T', '1']);
    assert.equal(own.code, 0, own.err);
    const conflict = await run(command, [org, 'T', '2', id]);
    assert.deepEqual([conflict.code, /event_conflict/.test(conflict.err)], [65, true], conflict.err);
    const mistake = await run(command, [org, '', '3']);
    assert.deepEqual([mistake.code, /\/eventType/.test(mistake.err)], [65, true], mistake.err);
    const expired = await run(command, [org, 'T', '4'], stack.url, stack.token({ sub: 'backend', scope: 'realtime:publish', ttl: -1 }));
    assert.deepEqual([expired.code, /token_expired/.test(expired.err)], [75, true], 'the event is good, and kept');
    const ids = stack.query(`SELECT event_id FROM events WHERE org_id = '${org}' ORDER BY seq`).map((row) => row.event_id);
    assert.equal(ids.length, 2);
    assert.match(ids[1], /^[0-9a-f-]{32,36}$/, 'an id of its own making');
  }, { skip, timeout: 120_000 });

  stack.test(`${name}: an answer that is lost, half of one, 503 and 429: the same bytes again, when it is time; then it gives up`, async () => {
    const { org, line, never, done, late } = await badDays()[name];
    assert.equal(done.code, 0, done.err);
    assert.match(done.out, /duplicate/, 'the first try had been stored');
    assert.equal(new Set(line.bodies).size, 1);
    assert.equal(line.bodies.length, 5);
    assert.ok(line.times[3] - line.times[2] >= 950 && line.times[4] - line.times[3] >= 1950, `Retry-After is heeded: ${line.times}`);
    assert.equal(stack.query(`SELECT count(*) n FROM events WHERE org_id = '${org}'`)[0].n, 1);
    assert.equal(late.code, 75, late.err);
    assert.ok(never.bodies.length >= 5 && new Set(never.bodies).size === 1, `${never.bodies.length} tries`);
  }, { skip, timeout: 120_000 });
}

// ---- the outbox ----

stack.test('outbox.py: killed at any moment, nothing is lost and nothing comes twice', async () => {
  const org = stack.org();
  const database = stack.file('tasks.db');
  const cursor = await stack.cursor({ org });
  const env = { ...process.env, BELLHOP_TOKEN: stack.publisher, PYTHONDONTWRITEBYTECODE: '1' };
  const relay = (url) => {
    const child = spawn('python3', ['outbox.py', database], { cwd: folder, env: { ...env, BELLHOP_URL: url }, stdio: ['ignore', 'ignore', 'pipe'] });
    child.text = '';
    child.stderr.on('data', (part) => (child.text += part));
    child.ended = new Promise((resolve) => child.on('exit', resolve));
    return child;
  };
  const create = (from, n) => execFileSync('python3', ['-c', `
import outbox, sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
db.executescript(outbox.SCHEMA)
for i in range(${n}): outbox.create_task(db, sys.argv[2], f"task {${from} + i}")`, database, org], { cwd: folder, env });
  const ask = (sql) => JSON.parse(execFileSync('sqlite3', ['-json', '-cmd', '.timeout 5000', database, sql], { encoding: 'utf8' }) || '[]');
  const left = () => ask('SELECT count(*) n FROM outbox WHERE refused IS NULL')[0].n;

  // The answer to its first publish never arrives, nor all of the next one's, and it
  // is killed: it doesn't know.
  create(0, 100);
  const line = await between(['cut', { status: 503, half: true }, { status: 503, headers: { 'retry-after': '1' } }]);
  const first = relay(line.url);
  await waitFor(() => `a third try; ${first.text}`, () => line.bodies.length >= 3, { ms: 30_000 });
  first.kill('SIGKILL');
  await first.ended;
  assert.equal(left(), 100);
  assert.equal(stack.query(`SELECT count(*) n FROM events WHERE org_id = '${org}'`)[0].n, 100);

  // Then again and again, while tasks are made and the broker dies.
  let second = relay(stack.url);
  for (let i = 1; i <= 4; i++) {
    create(i * 100, 100);
    if (i === 2) await stack.restart('broker');
    second.kill('SIGKILL');
    await second.ended;
    second = relay(stack.url);
    await sleep(20 * i);
  }
  await waitFor(() => `an empty outbox; ${left()} are left; ${second.text}`, () => left() === 0, { ms: 30_000, every: 50 });
  const events = [];
  for (let at = cursor, more = true; more;) {
    const { json } = await stack.request(`/tasks/realtime/history?limit=1000&cursor=${at}`, { token: stack.token({ org }) });
    events.push(...json.events);
    ({ cursor: at, more } = json);
  }
  assert.deepEqual(events.map(({ payload }) => payload.title), range(500).map((i) => `task ${i}`), 'each once, in the order of the commits');

  // One that is wrong is set aside, and holds nobody up.
  execFileSync('sqlite3', ['-cmd', '.timeout 5000', database, `INSERT INTO outbox (event) VALUES ('${JSON.stringify({ ...event(org), eventType: '' })}')`]);
  create(500, 1);
  await waitFor(() => `the rest to go on; ${second.text}`, () => left() === 0, { ms: 30_000, every: 50 });
  assert.match(ask('SELECT refused FROM outbox WHERE refused IS NOT NULL')[0].refused, /invalid_event.*eventType/);
  await waitFor('the last task', () => stack.query(`SELECT count(*) n FROM events WHERE org_id = '${org}'`)[0].n === 501);
  second.kill('SIGKILL');
  await second.ended;
}, { skip: !has('python3') && 'python3 isn\'t installed: deploy/packages publish', timeout: 120_000 });
