// What an operator does to a running Bellhop, through two worker processes,
// each behind a lighttpd of its own: nobody signals a process.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { build, event, Stack } from '../lib/stack.mjs';
import { sign, now } from '../lib/token.mjs';
import { storm } from '../lib/storm.mjs';
import { range, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ conf: { log_level: 'info', domain: { tasks: {}, rooms: {} } }, lanes: 2 });
const good = stack.lanes.map(({ conf }) => fs.readFileSync(conf, 'utf8'));
const both = [0, 1];

function ctl(...args) {
  return new Promise((resolve) => {
    execFile(path.join(build, 'bellhopctl'), ['-c', stack.lanes[0].conf, ...args], (error, out, err) =>
      resolve({ code: error?.code ?? 0, out, err }));
  });
}

async function done(...args) {
  const result = await ctl(...args);
  assert.equal(result.code, 0, `${args.join(' ')}: ${result.out}${result.err}`);
  return result.out;
}

// Write both workers' files; MORE comes at the end, CHANGE rewrites the rest.
function configure(more = '', change = (text) => text) {
  stack.lanes.forEach(({ conf }, i) => fs.writeFileSync(conf, `${change(good[i])}${more}`));
}

function is(res, status, code) {
  assert.deepEqual([res.status, res.json?.code], [status, code], res.text);
  return res;
}

const log = (name) => fs.readFileSync(stack.file(`${name}.log`), 'utf8');
const everything = (token, at) => [
  stack.poll({ token, wait: 0, at }),
  stack.request('/tasks/realtime/history', { token, at }),
  stack.request('/tasks/realtime/cursor', { token, at }),
  stack.publish(event('org-x'), { token, at }),
];

// ---- who is turned away ----

stack.test('disconnect: a user\'s polls end with 401 at once; others wait on, and the user may come back', async () => {
  const [org, other] = [stack.org(), stack.org()];
  const hers = range(3).map((i) => stack.poll({ org, sub: 'anna', at: i % 2 }));
  const rest = [stack.poll({ org, sub: 'bert' }), stack.poll({ org: other, sub: 'anna', at: 1 })];
  await stack.waiters(5);
  assert.match(await done('disconnect', '--org', org, '--user', 'anna'), /^3 waiting requests were ended/);
  for (const res of await Promise.all(hers)) {
    is(res, 401, 'token_invalid');
    assert.match(res.headers['www-authenticate'], /^Bearer/);
    assert.match(res.json.detail, /session/);
  }
  await stack.waiters(2);
  is(await stack.poll({ org, sub: 'anna', wait: 0 }), 200, undefined);
  assert.match(await done('disconnect', '--org', org, '--domain', 'rooms'), /^0 /);
  assert.match(await done('disconnect', '--org', org), /^1 /);
  is(await rest[0], 401, 'token_invalid');
  await done('disconnect', '--org', other);
  await rest[1];
});

stack.test('deny: a user, in every worker, for every endpoint, though the token is in their caches', async () => {
  const org = stack.org();
  const token = stack.token({ sub: 'mallory', org, scope: 'realtime:publish' });
  for (const at of both) for (const res of await Promise.all(everything(token, at))) assert.notEqual(res.status, 401, res.text);
  const waiting = stack.poll({ token, at: 1, cursor: await stack.cursor({ org }) });
  const beside = stack.poll({ sub: 'mallory', org: stack.org() });
  await stack.waiters(2);

  assert.match(await done('deny', 'add', '--sub', 'mallory', '--org', org, '--for', '1h', '--reason', 'lost phone'), /1 waiting/);
  is(await waiting, 401, 'token_invalid');
  for (const at of both) {
    for (const res of await Promise.all(everything(token, at))) assert.match(is(res, 401, 'token_invalid').json.detail, /revoked/);
  }
  await stack.waiters(1); // the user's namesake of another org
  assert.match(await done('deny', 'list'), new RegExp(`sub\tmallory\torg ${org}\t.*lost phone`));

  // It outlives everything.
  await Promise.all(['broker', 'worker0', 'worker1'].map((name) => stack.restart(name)));
  await beside;
  await stack.healthy();
  for (const at of both) for (const res of await Promise.all(everything(token, at))) is(res, 401, 'token_invalid');

  await done('deny', 'remove', '--sub', 'mallory', '--org', org);
  for (const at of both) for (const res of await Promise.all(everything(token, at))) assert.notEqual(res.status, 401, res.text);
  assert.equal((await ctl('deny', 'remove', '--sub', 'mallory', '--org', org)).code, 65);
});

stack.test('deny: one token by its jti, until its time is over', async () => {
  const org = stack.org();
  const [one, two] = ['t-1', 't-2'].map((jti) => stack.token({ org, claims: { jti } }));
  is(await stack.poll({ token: one, wait: 0 }), 200, undefined);
  await done('deny', 'add', '--jti', 't-1', '--for', '1h');
  for (const at of both) is(await stack.poll({ token: one, wait: 0, at }), 401, 'token_invalid');
  is(await stack.poll({ token: two, wait: 0 }), 200, undefined);
  await done('deny', 'add', '--jti', 't-1', '--for', '1s'); // the same entry
  await waitFor('the entry to end', async () => (await stack.poll({ token: one, wait: 0 })).status === 200);
  assert.equal(await done('deny', 'list'), '');
});

stack.test('a publish with a revoked token is counted, not put on record', async () => {
  const token = stack.token({ sub: 'oscar', scope: 'realtime:publish', claims: { jti: 't-3' } });
  const tell = (id) => stack.publish('{', { token, headers: { 'x-request-id': id } });
  await done('deny', 'add', '--jti', 't-3');
  is(await tell('record-revoked'), 401, 'token_invalid');
  await done('deny', 'remove', '--jti', 't-3');
  await waitFor('the refusal on record', async () => {
    is(await tell('record-good'), 422, 'invalid_event');
    return stack.query("SELECT 1 FROM refusals WHERE request_id = 'record-good'").length > 0;
  }, { every: 200 });
  assert.deepEqual(stack.query("SELECT 1 FROM refusals WHERE request_id = 'record-revoked'"), []);
});

stack.test('disconnect --deny: ended, and kept out', async () => {
  const org = stack.org();
  const poll = stack.poll({ org, sub: 'eve' });
  await stack.waiters(1);
  assert.match(await done('disconnect', '--org', org, '--user', 'eve', '--deny=1h'), /^denied until 20.*Z\n1 waiting requests were ended\n$/);
  is(await poll, 401, 'token_invalid');
  is(await stack.poll({ org, sub: 'eve', wait: 0, at: 1 }), 401, 'token_invalid');
  // Denied is denied, though there is nobody to end.
  await stack.kill('broker', 'SIGTERM');
  assert.match(await done('disconnect', '--org', org, '--user', 'adam', '--deny'), /^denied until it is removed\n$/);
  stack.spawn('broker');
  await stack.healthy();
  is(await stack.poll({ org, sub: 'adam', wait: 0, at: 1 }), 401, 'token_invalid');
  await done('deny', 'remove', '--sub', 'adam', '--org', org);
  await done('deny', 'remove', '--sub', 'eve', '--org', org);
});

// ---- domains ----

stack.test('domain disable: 503 for everybody, those who wait too; and back as fast, nothing lost', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  await stack.store(event(org));
  const head = await stack.cursor({ org });
  const polls = range(6).map((i) => stack.poll({ org, sub: `u-${i}`, cursor: head, at: i % 2 }));
  await stack.waiters(6);
  const begun = Date.now();
  assert.match(await done('domain', 'disable', 'tasks'), /6 waiting requests were ended/);
  for (const res of await Promise.all(polls)) {
    is(res, 503, 'domain_disabled');
    assert.ok(Number(res.headers['retry-after']) >= 1);
  }
  assert.ok(Date.now() - begun < 20_000, 'before the polls would have ended');
  const token = stack.token({ org, scope: 'realtime:publish' });
  for (const at of both) for (const res of await Promise.all(everything(token, at))) is(res, 503, 'domain_disabled');
  is(await stack.request('/rooms/realtime/cursor', { token }), 200, undefined);
  assert.match(await done('domain', 'list'), /^tasks\toff\tbellhopctl domain disable, 20[^]*^rooms\ton/m);

  await Promise.all(['broker', 'worker1'].map((name) => stack.restart(name, 'SIGTERM')));
  await stack.healthy();
  for (const at of both) is(await stack.poll({ token, wait: 0, at }), 503, 'domain_disabled');

  await done('domain', 'enable', 'tasks');
  for (const at of both) {
    const res = is(await stack.poll({ token, wait: 0, at, cursor }), 200, undefined);
    assert.equal(res.json.events.length, 1);
  }
  assert.equal((await ctl('domain', 'disable', 'nothing-of-the-kind')).code, 65);
});

stack.test('any "off" wins, and the answer says whose', async () => {
  const token = stack.token({ org: stack.org() });
  const cursor = () => stack.request('/rooms/realtime/cursor', { token });
  await done('domain', 'disable', 'rooms');
  assert.match(is(await cursor(), 503, 'domain_disabled').json.detail, /bellhopctl domain disable/);
  configure('', (text) => text.replace(/domain "rooms" \{/, '$&\nenabled = false'));
  await done('reload');
  const enabled = await done('domain', 'enable', 'rooms');
  assert.match(enabled, /stays off: the configuration/);
  assert.match(is(await cursor(), 503, 'domain_disabled').json.detail, /configuration/);
  configure();
  await done('reload');
  is(await cursor(), 200, undefined);
});

// ---- reload ----

stack.test('a new domain: three lines, a reload, and it works in both workers', async () => {
  const org = stack.org();
  const token = stack.token({ org, scope: 'realtime:publish' });
  is(await stack.request('/bookings/realtime/cursor', { token }), 404, 'not_found');
  configure('\ndomain "bookings" {\n    enabled = true\n}\n');
  assert.match(await done('reload'), /^reloaded/);
  const { cursor } = (await stack.request('/bookings/realtime/cursor', { token, at: 1 })).json;
  const waiting = stack.request('/bookings/realtime/subscribe', { token, at: 1, headers: { 'last-event-id': cursor } });
  await stack.waiters(1);
  const one = event(org);
  const published = await stack.request('/bookings/realtime/publish', {
    method: 'POST', token, body: JSON.stringify(one), headers: { 'content-type': 'application/json' },
  });
  assert.equal(published.json.results[0].woken, 1, published.text);
  assert.equal((await waiting).json.events[0].eventId, one.eventId);
  configure();
  await done('reload');
  for (const at of both) is(await stack.request('/bookings/realtime/cursor', { token, at }), 404, 'not_found');
});

stack.test('a mistake: exit 78 with the line and the option, and all goes on as it was', async () => {
  const org = stack.org();
  const lines = good[0].split('\n').length;
  configure('domain "half" { }\nbroker { poll_seconds = 0 }\n');
  const { code, err } = await ctl('reload');
  assert.equal(code, 78);
  assert.match(err, new RegExp(`bellhop0.conf:${lines + 1}: broker`));
  configure('key "other" { algorithm = "HS256" file = "not-there.key" }\n');
  const missing = await ctl('reload');
  assert.deepEqual([missing.code, /not-there\.key/.test(missing.err)], [78, true], missing.err);
  const token = stack.token({ org });
  for (const at of both) is(await stack.request('/half/realtime/cursor', { token, at }), 404, 'not_found');
  for (const at of both) is(await stack.poll({ token, wait: 0, at }), 200, undefined);
  configure();
});

stack.test('the broker\'s limits change with a reload, for those who come after it', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const before = range(3).map(() => stack.poll({ org, cursor }));
  await stack.waiters(3);
  configure('', (text) => text.replace(/broker \{/, '$&\nwaiters_per_user = 3\nbuffer_events = 5'));
  await done('reload');
  assert.equal(is(await stack.poll({ org, cursor }), 200, undefined).json.overloaded, true);
  await stack.store(range(4).map(() => event(org)));
  for (const res of await Promise.all(before)) assert.equal(res.json.events.length, 4);
  await stack.store(range(4).map(() => event(org)));
  assert.deepEqual((await stack.poll({ org, cursor, wait: 0 })).json.gap, { reason: 'evicted' });
  configure();
  await done('reload');
  await stack.store(range(12).map(() => event(org)));
  assert.equal((await stack.poll({ org, sub: 'new', wait: 0 })).json.events.length, 17, 'five were left, and it holds more again');
});

stack.test('what needs a restart is named, and stays', async () => {
  configure('', (text) => text.replace('path = "log.db"', 'path = "other.db"').replace(/worker \{/, '$&\nthreads = 3'));
  const out = await ctl('reload');
  assert.match(out.out, /needs a restart: log\.path, worker\.threads/);
  for (const at of both) await stack.store(event(stack.org()), { at });
  configure();
  await done('reload');
  await stack.store(event(stack.org()));
  assert.deepEqual(fs.readdirSync(stack.dir).filter((name) => name.startsWith('other.db')), []);
  for (const at of both) assert.match(log(`worker${at}`), /needs a restart: log\.path, worker\.threads/);
});

stack.test('keys rotate: a new one signs, the old one retires', async () => {
  const org = stack.org();
  const fresh = { alg: 'HS256', kid: 'fresh', key: crypto.randomBytes(48).toString('base64url') };
  fs.writeFileSync(stack.file('fresh.key'), fresh.key, { mode: 0o600 });
  const claims = { sub: 'u-1', orgId: org, exp: now() + 600 };
  const [old, next] = [sign(claims, stack.keys.hs), sign(claims, fresh)];
  const status = async (token) => (await Promise.all(both.map((at) => stack.poll({ token, wait: 0, at })))).map((res) => res.status);

  assert.deepEqual([await status(old), await status(next)], [[200, 200], [401, 401]]);
  configure('key "fresh" { algorithm = "HS256" file = "fresh.key" }\n');
  await done('reload');
  assert.deepEqual([await status(old), await status(next)], [[200, 200], [200, 200]]);
  configure('key "fresh" { algorithm = "HS256" file = "fresh.key" }\n', (text) => text.replace(/key "hs" \{[^}]*\}/, ''));
  await done('reload');
  assert.deepEqual([await status(old), await status(next)], [[401, 401], [200, 200]]);
  configure();
  await done('reload');
  assert.deepEqual(await status(old), [200, 200]);
});

stack.test('origins change with a reload', async () => {
  const ask = async () => (await stack.request('/healthz?live', { at: 1, headers: { origin: 'https://new.example' } })).headers['access-control-allow-origin'];
  assert.equal(await ask(), undefined);
  configure('', (text) => text.replace('https://open.example', 'https://new.example'));
  await done('reload');
  assert.equal(await ask(), 'https://new.example');
  configure();
  await done('reload');
  assert.equal(await ask(), undefined);
});

stack.test('reloads under load drop nothing', async () => {
  let reloading = Promise.resolve();
  let reloads = 0;
  await storm(stack, {
    n: 400,
    lanes: 2,
    disturb: (n) => {
      if (n % 40 !== 0) return;
      reloading = reloading.then(async () => {
        configure(`# ${++reloads}\n`);
        await done('reload');
      });
    },
  });
  await reloading;
  assert.equal(reloads, 10);
  for (const name of ['worker0', 'worker1']) assert.match(log(name), /and its keys again/);
  configure();
  await done('reload');
  for (const at of both) await stack.request('/healthz?live', { at });
});

stack.test('a worker without requests follows within a second or so', async () => {
  configure('domain "idle" { }\n');
  const before = log('worker1').length;
  await done('reload');
  await waitFor('worker1 to read it', () => log('worker1').slice(before).includes('and its keys again'));
  configure();
  await done('reload');
  for (const at of both) await stack.request('/healthz?live', { at });
});

stack.test('SIGHUP does the same for one process', async () => {
  const token = stack.token({ org: stack.org() });
  configure('domain "signalled" { }\n');
  stack.children.get('worker0').process.kill('SIGHUP');
  stack.children.get('broker').process.kill('SIGHUP');
  await waitFor('the domain', async () => (await stack.request('/signalled/realtime/cursor', { token })).status === 200);
  is(await stack.request('/signalled/realtime/cursor', { token, at: 1 }), 404, 'not_found');
  configure();
  await done('reload');
});

// ---- the control page ----

stack.test('a control page that is cut short, filled with junk or removed is laid anew', async () => {
  const token = stack.token({ sub: 'zoe', org: stack.org() });
  const page = `${stack.log}.control`;
  await done('deny', 'add', '--sub', 'zoe');
  const harm = [() => fs.truncateSync(page, 10), () => fs.writeFileSync(page, 'x'.repeat(5000)), () => fs.truncateSync(page, 0), () => fs.unlinkSync(page)];
  for (const each of harm) {
    each();
    for (const at of both) is(await stack.poll({ token, wait: 0, at }), 401, 'token_invalid');
    assert.equal(fs.statSync(page).size, 64);
  }
  await done('deny', 'remove', '--sub', 'zoe');
  for (const at of both) is(await stack.poll({ token, wait: 0, at }), 200, undefined);
});

// ---- the log ----

stack.test('lines of publishes and of refused subscribes; nothing from outside can forge one', async () => {
  const org = stack.org();
  const forged = 'x" code=none';
  await stack.store([event(org), event(org)], { headers: { origin: 'http://localhost:5173', 'user-agent': 'ua "quoted"' } });
  await stack.publish('{', { token: stack.publisher, headers: { 'x-request-id': 'broken-1' } });
  await stack.poll({ token: stack.token({ org, sub: forged, properties: [] }), propertyId: 'p', at: 0 });
  await waitFor('the lines', () => /RealtimeSubscribe.*code=forbidden/.test(log('worker0')));
  const text = log('worker0');
  assert.match(text, new RegExp(`info: \\[RealtimePublish\\]\\[completed\\] orgId=${org} userId=backend events=2 durationMs=\\d+ origin=http://localhost:5173 ua="ua \\\\x22quoted\\\\x22"`));
  assert.match(text, /\[RealtimePublish\]\[failure\] orgId=- userId=backend events=0 durationMs=\d+ origin=\S+ ua="[^"]*" code=invalid_event id=broken-1$/m);
  assert.match(text, new RegExp(`\\[RealtimeSubscribe\\]\\[failure\\] orgId=${org} userId=x\\\\x22\\\\x20code=none propertyId=p events=0 .* code=forbidden`));
});

stack.test('the level changes at run time, for a part or for all', async () => {
  const org = stack.org();
  const marked = async (mark) => {
    for (const at of both) await stack.store(event(org), { at, headers: { 'user-agent': mark } });
    return both.map((at) => log(`worker${at}`).includes(`ua="${mark}"`));
  };
  assert.deepEqual(await marked('mark-1'), [true, true]);
  await done('loglevel', 'warn');
  assert.match(await done('loglevel'), /^worker\twarn\t.*\nbroker\twarn/);
  assert.deepEqual(await marked('mark-2'), [false, false]);
  await done('loglevel', 'debug', '--part', 'worker');
  assert.deepEqual(await marked('mark-3'), [true, true]);
  await stack.poll({ org, wait: 0, headers: { 'user-agent': 'mark-4' } });
  await done('loglevel', 'conf');
  await stack.poll({ org, wait: 0, headers: { 'user-agent': 'mark-5' } });
  await waitFor('the broker to log again', () => log('broker').includes('mark-5'));
  assert.ok(!log('broker').includes('mark-4'));
});
