// docs/openapi.yaml against a running server. Every answer that a test here gets
// is judged by the document: status, headers, media type, body. At the end
// whatever the document promises must have been seen, or be excused below.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { build, event, Stack } from '../lib/stack.mjs';
import { openStream, StreamParser } from '../lib/stream.mjs';
import { range, waitFor } from '../lib/wait.mjs';
import { Document } from './document.mjs';

// What no request here provokes, and why.
const excused = [
  [/^(?!POST .*publish|GET .*history).* 500$/, 'memory must run out at the very moment, which is arranged for publish and history alone, as they take most'],
];

const document = new Document();
const stack = await Stack.forFile({
  conf: {
    broker: { waiters_per_user: 3, heartbeat_seconds: 1, buffer_events: 20 },
    limits: { publisher_events_per_second: 0, org_events_per_second: 1, org_burst: 600 },
    telemetry: { address_requests_per_minute: 1, address_burst: 60 },
    domain: { tasks: {}, retired: { legacy: true }, off: { enabled: false } },
  },
});
const trusted = 'http://localhost:5173';
const monitor = { scope: 'realtime:metrics' };
const ndjson = 'application/x-ndjson';

// A request, judged. From a page of a listed origin, unless told otherwise.
async function ask(method, target, { status, code, on = stack, headers = {}, ...options } = {}) {
  const res = await on.request(target, { method, headers: { origin: trusted, ...headers }, ...options });
  document.judge(method, target, res);
  if (status !== undefined) assert.deepEqual([res.status, res.json?.code], [status, code], `${method} ${target}: ${res.text.slice(0, 300)}`);
  return res;
}

function publish(body, { type = 'application/json', token = stack.publisher, domain = 'tasks', query = '', headers = {}, ...options } = {}) {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(Array.isArray(body) ? { events: body } : body);
  return ask('POST', `/${domain}/realtime/publish${query}`, { token, body: text, headers: { 'content-type': type, ...headers }, ...options });
}

function tell(body, { type = 'application/json', ...options } = {}) {
  return ask('POST', '/telemetry/client', { body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': type }, ...options });
}

// A stream whose head, events and end are judged. `events`: [type, data].
async function stream(who, { lines = false, headers = {}, query = '' } = {}) {
  const events = [];
  let where;
  let text = '';
  const take = (type, value) => {
    if (type === ndjson) document.judgeLine(where, value);
    else document.judgeEvent(where, type, value);
    events.push([type, value]);
  };
  const early = [];
  const parser = new StreamParser({ message: ({ type, data }) => take(type, JSON.parse(data)) });
  const on = (part) => {
    if (!where) return early.push(part);
    if (!lines) return parser.write(part);
    const whole = (text + part).split('\n');
    text = whole.pop();
    return whole.forEach((line) => take(ndjson, JSON.parse(line)));
  };
  const target = `/tasks/realtime/stream${query}`;
  const opened = await openStream(stack.url + target, {
    headers: { origin: trusted, authorization: `Bearer ${who.token ?? stack.token(who)}`, accept: lines ? ndjson : 'text/event-stream', ...headers }, on,
  });
  where = document.judge('GET', target, opened);
  early.forEach(on);
  return Object.assign(opened, { events, got: (type) => waitFor(`${type} on the stream; there is ${JSON.stringify(events)}`, () => events.some(([name]) => name === type)) });
}

const ctl = (...args) => execFileSync(path.join(build, 'bellhopctl'), ['-c', stack.lanes[0].conf, ...args], { encoding: 'utf8', cwd: stack.dir });

// ---- the document by itself ----

stack.test('the document is OpenAPI 3.1, uses all that it defines, and its examples are true', async () => {
  const result = await new Validator().validate(document.json);
  assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
  assert.match(document.json.openapi, /^3\.1\./);
  for (const [kind, members] of Object.entries(document.json.components)) {
    if (kind === 'securitySchemes') continue;
    for (const name of Object.keys(members)) assert.ok(document.text.includes(`'#/components/${kind}/${name}'`), `${kind}/${name} is used`);
  }
  for (const [name, { examples = [] }] of Object.entries(document.json.components.schemas)) {
    for (const example of examples) document.assertValid(`#/components/schemas/${name}`, example, `an example of ${name}`);
  }
  const ids = document.operations().map(({ operation }) => operation.operationId).filter(Boolean);
  assert.equal(new Set(ids).size, ids.length);
});

stack.test('the judge finds what the document lacks', async () => {
  const judge = new Document();
  const res = await stack.request('/healthz');
  const unlike = (change, why, target = '/healthz', method = 'GET') =>
    assert.throws(() => judge.judge(method, target, { ...res, headers: { ...res.headers, ...change.headers }, ...change.rest }), why);
  judge.judge('GET', '/healthz', res);
  unlike({ rest: { status: 418 } }, /418 isn't in the document/);
  unlike({ headers: { 'x-new': '1' } }, /x-new isn't in the document/);
  unlike({ headers: { 'cache-control': 'private' } }, /Cache-Control isn't as/);
  unlike({ headers: { 'content-type': 'text/html' } }, /text\/html isn't in the document/);
  unlike({ rest: { text: '{"worker":"up","more":1}' } }, /isn't as/);
  unlike({}, /no path of the document/, '/elsewhere');
  unlike({}, /knows no such method/, '/healthz', 'PUT');
  const { 'x-request-id': gone, ...headers } = res.headers;
  assert.ok(gone);
  assert.throws(() => judge.judge('GET', '/healthz', { ...res, headers }), /there is no X-Request-ID/);
  assert.ok(judge.unseen().includes('GET /healthz 503') && !judge.unseen().includes('GET /healthz 200'), 'and what was never seen');
});

// ---- every path ----

const paths = {
  '/{domain}/realtime/subscribe': { query: '?wait=0', who: { org: 'org-a' } },
  '/{domain}/realtime/stream': { who: { org: 'org-a' } },
  '/{domain}/realtime/history': { who: { org: 'org-a' } },
  '/{domain}/realtime/cursor': { who: { org: 'org-a' } },
  '/{domain}/realtime/publish': { method: 'POST', who: { scope: 'realtime:publish' } },
  '/{domain}/realtime/metrics': { who: monitor },
  '/{domain}/events/subscribe': { anyQuery: true },
  '/metrics': { who: monitor },
  '/telemetry/client': { method: 'POST', anyQuery: true },
  '/healthz': {},
};
assert.deepEqual(Object.keys(document.json.paths).sort(), Object.keys(paths).sort(), 'a path of the document is not tried here, or the other way round');

for (const [template, { method = 'GET', query = '', who, anyQuery }] of Object.entries(paths)) {
  const at = (domain) => template.replace('{domain}', domain);
  const body = method === 'POST' ? '{}' : undefined;
  const token = () => (who ? stack.token(who) : null);

  stack.test(`${template}: preflight, other methods, stray bodies, bad queries, unknown and disabled domains`, async () => {
    const asked = { headers: { 'access-control-request-method': method, 'access-control-request-headers': 'authorization' } };
    const preflight = await ask('OPTIONS', at('tasks'), { ...asked, status: 204 });
    assert.equal(preflight.headers['access-control-allow-methods'], `${method}, OPTIONS`);
    const stranger = await ask('OPTIONS', at('tasks'), { headers: { ...asked.headers, origin: 'https://evil.example' }, status: 204 });
    assert.deepEqual(Object.keys(stranger.headers).filter((name) => name.startsWith('access-control')), []);
    for (const other of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'].filter((each) => each !== method)) {
      const res = await ask(other, at('tasks'), { token: token(), body: other === 'GET' || other === 'HEAD' ? undefined : '{}' });
      assert.deepEqual([res.status, res.headers.allow], [405, `${method}, OPTIONS`], other);
    }
    if (method === 'GET') await ask('DELETE', at('tasks'), { token: token(), body: 'x'.repeat(4097), status: 413, code: 'too_large' });
    await ask('OPTIONS', at('tasks'), { body: 'x'.repeat(4097), status: 413, code: 'too_large' });
    if (!anyQuery) await ask(method, `${at('tasks')}?unknown=1`, { token: token(), body, status: 400, code: 'bad_request' });
    if (!template.startsWith('/{')) return;
    await ask(method, at('nowhere'), { token: token(), body, status: 404, code: 'not_found' });
    await ask('OPTIONS', at('nowhere'), { status: 404, code: 'not_found' });
    await ask(method, at('off'), { token: token(), body, status: 503, code: 'domain_disabled' });
  });

  if (!who) continue;
  stack.test(`${template}: tokens that are missing, wrong, expired, or not for this`, async () => {
    const target = at('tasks') + query;
    await ask(method, target, { body, status: 401, code: 'token_missing' });
    await ask(method, target, { body, token: 'not.a.token', status: 401, code: 'token_invalid' });
    await ask(method, target, { body, token: stack.token({ ...who, ttl: -5 }), status: 401, code: 'token_expired' });
    await ask(method, target, { body, token: stack.token({ sub: 'nobody' }), status: 403, code: 'forbidden' });
  });
}

stack.test('subscribe: events, nothing, a gap, a limit, superseded', async () => {
  const org = stack.org();
  const token = stack.token({ org });
  const target = '/tasks/realtime/subscribe';
  const before = (await ask('GET', '/tasks/realtime/cursor', { token, status: 200 })).json.cursor;
  await publish([event(org), event(org, { propertyId: 'p' })], { status: 200 });
  assert.equal((await ask('GET', `${target}?cursor=${before}`, { token, status: 200 })).json.events.length, 2);
  const head = (await ask('GET', `${target}?wait=0&propertyId=p`, { token, headers: { 'last-event-id': before }, status: 200 })).json.cursor;
  const empty = await ask('GET', `${target}?wait=0`, { token, headers: { 'last-event-id': head }, status: 200 });
  assert.deepEqual(empty.json.events, []);
  await ask('GET', `${target}?propertyId=q`, { token: stack.token({ org, properties: ['p'] }), status: 403, code: 'forbidden' });
  for (const each of range(30)) await publish(event(org, { payload: each }), { status: 200 });
  const evicted = await ask('GET', target, { token, headers: { 'last-event-id': before }, status: 200 });
  assert.deepEqual(evicted.json.gap, { reason: 'evicted' });
  const other = await ask('GET', target, { token, headers: { 'last-event-id': '0123456789abcdef-1' }, status: 200 });
  assert.deepEqual(other.json.gap, { reason: 'log' });

  const { cursor } = other.json;
  const wait = (id) => ask('GET', target, { token, headers: { 'last-event-id': cursor, 'x-client-id': id } });
  const waiting = ['a', 'b', 'c'].map(wait);
  await stack.waiters(3);
  const over = await ask('GET', target, { token, headers: { 'last-event-id': cursor }, status: 200 });
  assert.ok(over.json.overloaded && over.headers['retry-after']);
  const newer = wait('a');
  assert.deepEqual([(await waiting[0]).status, (await waiting[0]).json.code], [409, 'superseded']);
  await publish(event(org), { status: 200 });
  for (const res of await Promise.all([newer, waiting[1], waiting[2]])) assert.equal(res.json.events.length, 1);
});

stack.test('subscribe and stream: what ends them while they wait', async () => {
  const org = stack.org();
  const poll = (ttl = 600) => ask('GET', '/tasks/realtime/subscribe', { token: stack.token({ org, ttl }) });
  const expiring = poll(2);
  const short = await stream({ org, sub: 's', ttl: 2 });
  assert.deepEqual([(await expiring).status, (await expiring).json.code], [401, 'token_expired']);
  await short.got('token_expired');
  await stack.waiters(0);

  const both = async (act, status, code) => {
    const polled = poll();
    const streams = [await stream({ org, sub: 's' }), await stream({ org, sub: 's' }, { lines: true })];
    await stack.waiters(3);
    act();
    assert.deepEqual([(await polled).status, (await polled).json.code], [status, code]);
    await streams[0].got(code);
    await streams[1].ended;
    assert.deepEqual(streams[1].events.at(-1)[1].end, { code });
    await stack.waiters(0);
  };
  await both(() => ctl('disconnect', '--org', org), 401, 'token_invalid');
  await both(() => ctl('domain', 'disable', 'tasks'), 503, 'domain_disabled');
  ctl('domain', 'enable', 'tasks');
  const { conf } = stack.lanes[0];
  const good = fs.readFileSync(conf, 'utf8');
  await both(() => {
    fs.writeFileSync(conf, good.replace('domain "tasks"', 'domain "other"'));
    ctl('reload');
  }, 404, 'not_found');
  fs.writeFileSync(conf, good);
  ctl('reload');

  const first = await stream({ org, sub: 's' }, { headers: { 'x-client-id': 'tab' } });
  const second = await stream({ org, sub: 's' }, { headers: { 'x-client-id': 'tab' }, lines: true });
  await first.got('superseded');
  second.leave();
  await stack.waiters(0);
});

stack.test('stream: events, heartbeats, gaps, a limit; as events and as lines', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  for (const lines of [false, true]) {
    const type = (name) => (lines ? ndjson : name);
    const from = (id) => ({ lines, headers: { 'last-event-id': id } });
    const live = await stream({ org, sub: `live-${lines}` }, { lines });
    await publish(event(org), { status: 200 });
    await live.got(type('message'));
    await publish(range(40).map(() => event(org)), { status: 200 });
    const late = await stream({ org, sub: `late-${lines}` }, from(cursor));
    await late.got(type('gap'));
    const foreign = await stream({ org, sub: `late-${lines}` }, from('0123456789abcdef-1'));
    await foreign.got(type('gap'));
    const third = await stream({ org, sub: `late-${lines}` }, { lines, query: `?cursor=${cursor}&propertyId=p` });
    const over = await stream({ org, sub: `late-${lines}` }, { lines });
    assert.ok(Number(over.headers['retry-after']) >= 2);
    await over.got(type('overloaded'));
    await over.ended;
    if (lines) await waitFor('a heartbeat', () => live.events.filter(([, value]) => Object.keys(value).length === 1).length >= 2);
    for (const each of [live, late, foreign, third]) each.leave();
    await stack.waiters(0);
  }
});

stack.test('history: pages, and gaps', async () => {
  const org = stack.org();
  const token = stack.token({ org });
  await publish(range(5).map(() => event(org)), { status: 200 });
  const first = await ask('GET', '/tasks/realtime/history?limit=2', { token, status: 200 });
  assert.equal(first.json.more, true);
  const rest = await ask('GET', `/tasks/realtime/history?cursor=${first.json.cursor}`, { token, status: 200 });
  assert.deepEqual([rest.json.events.length, rest.json.more], [3, false]);
  const gap = await ask('GET', '/tasks/realtime/history?propertyId=p', { token, headers: { 'last-event-id': '0123456789abcdef-1' }, status: 200 });
  assert.deepEqual(gap.json.gap, { reason: 'log' });
});

stack.test('publish: one, many, lines, again; and every refusal', async () => {
  const org = stack.org();
  const one = event(org);
  await publish(one, { status: 200 });
  const again = await publish([one, event(org)], { status: 200 });
  assert.deepEqual(again.json.results.map(({ status }) => status), ['duplicate', 'stored']);
  await publish(range(3).map(() => JSON.stringify(event(org))).join('\n'), { type: ndjson, status: 200 });
  await publish({ ...one, payload: 'another' }, { status: 409, code: 'event_conflict' });
  await publish(one, { type: 'text/plain', status: 415, code: 'unsupported_media_type' });
  await publish(Buffer.alloc(33_000_000, ' '), { status: 413, code: 'too_large' });
  await publish({ ...one, eventId: '' }, { status: 422, code: 'invalid_event' });
  await publish(one, { token: stack.token({ org: 'another', scope: 'realtime:publish' }), status: 403, code: 'forbidden' });
  const flood = stack.org();
  await publish(range(500).map(() => event(flood)), { status: 200 });
  await publish(range(500).map(() => event(flood)), { status: 429, code: 'rate_limited' });
});

stack.test('what the document says of a request is what is taken: parameters', async () => {
  const org = stack.org();
  const token = stack.token({ org });
  const cursor = await stack.cursor({ org });
  const number = (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text);
  const tries = {
    wait: ['0', '1', '25', '26', '-1', '1.5', '', 'x', '99999999999999999999'],
    limit: ['0', '1', '200', '1000', '1001', '1e2', '', 'x'],
    propertyId: ['p', 'ä', 'x'.repeat(128), 'x'.repeat(129), '', ' '], // lighttpd refuses control characters by itself
    cursor: [cursor, '0123456789abcdef-0', '0123456789abcdef-01', '9f3a1c2e-1042', '0123456789abcdef0-1', '0123456789abcdef', 'x', `${cursor}x`],
  };
  const check = async (target, name, where, value, headers) => {
    const param = Object.entries(document.json.components.parameters).find(([, each]) => each.name === name && each.in === where);
    const ref = `#/components/parameters/${param[0]}/schema`;
    const may = document.valid(document.follow(ref).ref, where === 'query' && name !== 'cursor' ? number(value) : value);
    // One event, so that a wait that is good ends at once.
    const res = await ask('GET', target, { token, headers: { ...headers } });
    assert.equal(res.status, may ? 200 : 400, `${target}, ${name}=${value}: ${res.text.slice(0, 300)}`);
  };
  await publish(event(org), { status: 200 });
  for (const { path: template, operation } of document.operations()) {
    if (!/subscribe|history/.test(template) || !operation.parameters || operation.deprecated) continue;
    const target = template.replace('{domain}', 'tasks');
    const names = operation.parameters.map((each) => document.at(each.$ref)).filter((each) => each.in === 'query').map(({ name }) => name);
    for (const name of names) {
      const rest = name === 'cursor' && names.includes('wait') ? '&wait=0' : '';
      const before = name === 'cursor' ? {} : { 'last-event-id': cursor };
      for (const value of tries[name]) await check(`${target}?${name}=${encodeURIComponent(value)}${rest}`, name, 'query', value, before);
    }
    for (const value of tries.cursor) await check(`${target}${names.includes('wait') ? '?wait=0' : ''}`, 'Last-Event-ID', 'header', value, { 'last-event-id': value });
  }
  for (const value of ['a', 'A.b_c-9', 'x'.repeat(64), 'x'.repeat(65), 'a b', 'a"']) {
    await check('/tasks/realtime/subscribe?wait=0', 'X-Client-Id', 'header', value, { 'x-client-id': value });
    const { headers } = await ask('GET', '/healthz?live', { headers: { 'x-request-id': value }, status: 200 });
    assert.equal(headers['x-request-id'] === value, document.valid('#/components/parameters/requestId/schema', value), value);
  }
  await ask('GET', '/healthz?live=anything', { status: 200 });
  await ask('GET', '/tasks/events/subscribe?since=1&orgId=2', { status: 410, code: 'gone' });
});

// What a schema can't say (lengths in bytes, a name twice) is in bodies.test.mjs.
stack.test('what the document says of a request is what is taken: bodies', async () => {
  const org = stack.org();
  const good = () => event(org);
  const without = (name) => ({ ...good(), [name]: undefined });
  const events = [
    good(), { ...good(), propertyId: 'p' }, { ...good(), payload: null }, { ...good(), payload: [{}] }, { events: [good(), good()] },
    ...['eventId', 'eventType', 'timestamp', 'orgId', 'payload'].map(without),
    ...['eventId', 'eventType', 'orgId', 'propertyId'].flatMap((name) => ['', 7, null, 'x'.repeat(129), 'a\nb', 'a\x85b', ['x']].map((value) => ({ ...good(), [name]: value }))),
    { ...good(), eventType: 'x'.repeat(128) }, { ...good(), timestamp: 0 }, { ...good(), timestamp: 2 ** 53 - 1 },
    ...[-1, 1.5, '1', null, 2 ** 53].map((timestamp) => ({ ...good(), timestamp })),
    { ...good(), extra: 1 }, { ...good(), seq: 1 }, { events: [] }, { events: {} }, { events: [good()], more: 1 }, { events: [good(), without('eventId')] }, [good()], 7, null, 'x',
  ];
  const publishing = '#/paths/~1{domain}~1realtime~1publish/post/requestBody/content/application~1json/schema';
  for (const body of events) {
    const json = JSON.parse(JSON.stringify(body));
    const res = await publish(JSON.stringify(body));
    assert.equal(res.status, document.valid(publishing, json) ? 200 : 422, `${JSON.stringify(body)}: ${res.text}`.slice(0, 600));
  }
  const entry = { eventType: 'gap', domain: 'tasks' };
  const entries = [
    entry, [entry], { events: [entry, entry] }, { ...entry, timestamp: 0, sessionId: 's', tabId: 't', more: { a: [1] } }, { ...entry, eventType: 'x'.repeat(64) },
    {}, [], { events: [] }, { events: [entry], more: 1 }, { domain: 'tasks' }, { eventType: 'gap' }, range(21).map(() => entry), 7, null, 'x',
    ...['eventType', 'sessionId', 'tabId'].flatMap((name) => ['', 7, 'x'.repeat(65)].map((value) => ({ ...entry, [name]: value }))),
    ...[-1, 1.5, '1'].map((timestamp) => ({ ...entry, timestamp })),
  ];
  const telling = '#/components/schemas/Telemetry';
  for (const body of entries) {
    const res = await tell(body);
    assert.equal(res.status, document.valid(telling, body) ? 204 : 422, `${JSON.stringify(body)}: ${res.text}`.slice(0, 600));
  }
});

stack.test('telemetry: text, too much, another type, too often', async () => {
  await tell(JSON.stringify({ eventType: 'gap', domain: 'tasks' }), { type: 'text/plain;charset=UTF-8', status: 204 });
  await tell(' '.repeat(4097), { status: 413, code: 'too_large' });
  await tell('{}', { type: ndjson, status: 415, code: 'unsupported_media_type' });
  await waitFor('too many', async () => (await tell({ eventType: 'gap', domain: 'tasks' })).status === 429);
});

stack.test('metrics, health, the retired poll', async () => {
  const token = stack.token(monitor);
  await ask('GET', '/metrics', { token, status: 200 });
  await ask('GET', '/tasks/realtime/metrics', { token, status: 200 });
  await ask('GET', '/healthz', { status: 200 });
  await ask('GET', '/healthz?live', { status: 200 });
  await ask('GET', '/retired/events/subscribe', { status: 200 });
});

// ---- when parts fail ----

stack.test('while memory runs out: 500', async () => {
  const broken = await Stack.start();
  try {
    const org = 'org-big';
    const token = broken.token({ org });
    const big = range(60).map((i) => event(org, { payload: `${i}`.padEnd(60_000, 'x') }));
    await broken.store(big.slice(0, 30));
    await broken.store(big.slice(30));
    await broken.restart('worker0', 'SIGTERM');
    await broken.healthy();
    const pid = broken.pid('worker0');
    const [, kib] = /VmData:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
    execFileSync('prlimit', ['--pid', `${pid}`, `--data=${(Number(kib) + 1024) * 1024}:`]);
    await ask('GET', '/tasks/realtime/history', { on: broken, token, status: 500, code: 'internal' });
    const body = JSON.stringify({ events: range(500).map(() => event(org, { payload: 'x'.repeat(50_000) })) });
    await publish(body, { on: broken, token: broken.publisher, status: 500, code: 'internal' });
    execFileSync('prlimit', ['--pid', `${pid}`, '--data=unlimited:']);
    await ask('GET', '/tasks/realtime/history?limit=1', { on: broken, token, status: 200 });
    assert.equal(broken.query('SELECT count(*) n FROM events')[0].n, 60, 'nothing of it is stored');
  } finally {
    await broken.stop();
  }
});

stack.test('without the broker, then without the log', async () => {
  const broken = await Stack.start();
  const on = { on: broken };
  try {
    const token = broken.token({ org: 'o' });
    const watching = broken.token(monitor);
    await ask('GET', '/tasks/realtime/history', { ...on, token, status: 200 });
    await broken.kill('broker');
    await ask('GET', '/healthz', { ...on, status: 503 });
    await ask('GET', '/tasks/realtime/stream', { ...on, token, status: 503, code: 'broker_down' });
    assert.ok((await ask('GET', '/tasks/realtime/subscribe', { ...on, token, status: 200 })).headers['retry-after']);
    assert.equal((await publish(event('o'), { ...on, token: broken.publisher, status: 200 })).json.results[0].woken, null);
    for (const target of ['/metrics', '/tasks/realtime/metrics']) await ask('GET', target, { ...on, token: watching, status: 200 });

    for (const name of fs.readdirSync(broken.dir).filter((each) => /^log\.db(-wal|-shm)?$/.test(each))) fs.renameSync(broken.file(name), broken.file(`away-${name}`));
    fs.mkdirSync(broken.log);
    for (const what of ['subscribe', 'history', 'cursor']) await ask('GET', `/tasks/realtime/${what}`, { ...on, token, status: 503, code: 'log_unavailable' });
    await publish(event('o'), { ...on, token: broken.publisher, status: 503, code: 'log_unavailable' });
    for (const target of ['/metrics', '/tasks/realtime/metrics']) await ask('GET', target, { ...on, token: watching, status: 503, code: 'log_unavailable' });
    broken.spawn('broker'); // which has no log either, so that it knows no position
    await waitFor('the broker to take a stream', async () => (await ask('GET', '/tasks/realtime/stream', { ...on, token })).json.code === 'log_unavailable');
    assert.equal((await ask('GET', '/healthz', { ...on, status: 503 })).json.log, 'down');
  } finally {
    await broken.stop();
  }
});

// ---- the account ----

stack.test('all that the document promises was seen', async (t) => {
  const unseen = document.unseen();
  for (const [pattern, reason] of excused) {
    const of = unseen.filter((each) => pattern.test(each));
    if (of.length > 0) t.diagnostic(`not provoked, since ${reason}: ${of.join(', ')}`);
  }
  assert.equal(unseen.filter((each) => !excused.some(([pattern]) => pattern.test(each))).join('\n'), '');
  t.diagnostic(`${document.promised().length - unseen.length} of ${document.promised().length} statuses, headers, media types, codes and events of ${document.operations().length} operations`);
});
