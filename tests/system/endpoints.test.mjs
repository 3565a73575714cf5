// The edges of HTTP: routes, methods, CORS, health, request ids, waits, pages.
import assert from 'node:assert/strict';
import { event, Stack } from '../lib/stack.mjs';
import { range } from '../lib/wait.mjs';

const stack = await Stack.forFile({ conf: { broker: { waiters_per_user: 3, waiters_per_channel: 5 } } });
const trusted = 'http://localhost:5173';
const exposed = (res) => [res.headers['access-control-allow-origin'], res.headers['access-control-allow-credentials']];

stack.test('healthz says what is up', async () => {
  const res = await stack.request('/healthz');
  assert.equal(res.status, 200);
  assert.equal(res.headers['content-type'], 'application/json');
  for (const part of ['worker', 'broker', 'log']) assert.ok(part in res.json, `${part}: ${res.text}`);
  assert.equal((await stack.request('/healthz?live')).status, 200);
});

stack.test('a preflight from a listed origin is answered in full', async () => {
  const headers = { origin: trusted, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
  for (const path of ['/tasks/realtime/subscribe', '/tasks/realtime/publish', '/healthz']) {
    const res = await stack.request(path, { method: 'OPTIONS', headers });
    assert.equal(res.status, 204, path);
    assert.deepEqual(exposed(res), [trusted, 'true']);
    assert.equal(res.headers['access-control-max-age'], '7200');
    for (const name of ['Content-Type', 'Authorization', 'X-Request-ID', 'Last-Event-ID', 'X-Client-Id']) {
      assert.ok(res.headers['access-control-allow-headers'].includes(name), name);
    }
    assert.match(res.headers.vary, /Origin/);
    assert.equal(res.text, '');
  }
});

stack.test('every answer has the CORS headers, from the broker and from the worker, a refusal too', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  await stack.store(event(org));
  const from = (origin) => ({ headers: { origin } });
  const answers = (origin) => Promise.all([
    stack.poll({ org, cursor, ...from(origin) }),
    stack.poll({ org, propertyId: '', ...from(origin) }),
    stack.request('/tasks/realtime/subscribe', from(origin)),
    stack.publish('{', from(origin)),
    stack.request('/nowhere', from(origin)),
  ]);
  for (const res of await answers(trusted)) {
    assert.deepEqual(exposed(res), [trusted, 'true'], res.text);
    assert.match(res.headers['access-control-expose-headers'], /X-Request-ID.*Retry-After/);
    assert.match(res.headers.vary, /Origin/);
  }
  for (const res of await answers('https://open.example')) assert.deepEqual(exposed(res), ['https://open.example', undefined]);
  for (const res of await answers('https://evil.example')) {
    assert.deepEqual(Object.keys(res.headers).filter((name) => name.startsWith('access-control')), []);
  }
});

stack.test('every answer has an X-Request-ID: the client\'s, where it is sane', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  await stack.store(event(org));
  const send = (id) => stack.poll({ org, cursor, headers: { 'x-request-id': id } });
  assert.equal((await send('web-1.a_B')).headers['x-request-id'], 'web-1.a_B');
  for (const odd of ['a"b', 'x'.repeat(500), 'a b']) {
    const id = (await send(odd)).headers['x-request-id'];
    assert.notEqual(id, odd);
    assert.match(id, /^[\w.-]+$/);
  }
});

stack.test('unknown paths and domains, other methods, bad queries', async () => {
  const token = stack.token({ org: stack.org() });
  const expect = async (path, status, code, options) => {
    const res = await stack.request(path, { token, ...options });
    assert.deepEqual([res.status, res.json?.code], [status, code], `${path}: ${res.text}`);
    return res;
  };
  for (const path of ['/', '/tasks', '/tasks/realtime', '/tasks/realtime/nothing', '/nobody/realtime/subscribe', '/Tasks/realtime/subscribe', '/tasks/realtime/subscribe/']) {
    await expect(path, 404, 'not_found');
  }
  const wrong = await expect('/tasks/realtime/subscribe', 405, 'method_not_allowed', { method: 'POST', body: '' });
  assert.match(wrong.headers.allow, /GET/);
  await expect('/tasks/realtime/publish', 405, 'method_not_allowed');
  for (const query of ['wait=-1', 'wait=26', 'wait=x', 'wait=1&wait=1', 'limit=5', 'other=1', 'propertyId=', `propertyId=${'x'.repeat(129)}`, 'cursor=nonsense']) {
    await expect(`/tasks/realtime/subscribe?${query}`, 400, 'bad_request');
  }
  const off = await expect('/off/realtime/subscribe', 503, 'domain_disabled');
  assert.ok(off.headers['retry-after']);
});

stack.test('the retired poll: gone, or silent where the switch is on', async () => {
  const gone = await stack.request('/tasks/events/subscribe');
  assert.deepEqual([gone.status, gone.json.code], [410, 'gone']);
  assert.match(gone.headers.link, /<\/tasks\/realtime\/subscribe>.*successor-version/);
  const silent = await stack.request('/retired/events/subscribe');
  assert.deepEqual([silent.status, silent.json], [200, { events: [] }]);
});

stack.test('wait bounds a poll; its empty answer has a cursor', async () => {
  const org = stack.org();
  const timed = async (wait) => {
    const begun = Date.now();
    const { json, headers } = await stack.poll({ org, wait });
    assert.deepEqual([json.events, json.gap], [[], null]);
    assert.match(json.cursor, /^[0-9a-f]{16}-\d+$/);
    assert.equal(headers['cache-control'], 'no-store');
    return Date.now() - begun;
  };
  assert.ok((await timed(0)) < 20_000, 'long before an idle poll would have ended');
  const second = await timed(1);
  assert.ok(second >= 950 && second < 20_000, `${second} ms`);
});

stack.test('a cursor of another log, and one in the query', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  await stack.store(event(org));
  const query = await stack.request(`/tasks/realtime/subscribe?cursor=${cursor}`, { token: stack.token({ org }) });
  assert.equal(query.json.events.length, 1);
  const foreign = await stack.poll({ org, cursor: '0123456789abcdef-7', wait: 0 });
  assert.deepEqual([foreign.json.events, foreign.json.gap], [[], { reason: 'log' }]);
  const after = await stack.poll({ org, cursor: foreign.json.cursor, wait: 0 });
  assert.deepEqual([after.json.events, after.json.gap], [[], null]);
});

stack.test('history goes through the log page by page, and nothing is lost between it and a poll', async () => {
  const org = stack.org();
  const token = stack.token({ org });
  let cursor = await stack.cursor({ org });
  const sent = range(25).map((i) => event(org, i % 5 === 0 ? { propertyId: `p-${i % 2}` } : {}));
  await stack.store(sent);
  const seen = [];
  for (let more = true; more;) {
    const page = await stack.request(`/tasks/realtime/history?limit=10&cursor=${cursor}`, { token });
    assert.equal(page.status, 200, page.text);
    assert.ok(page.json.events.length <= 10);
    seen.push(...page.json.events);
    ({ cursor, more } = page.json);
  }
  assert.deepEqual(seen.map(({ eventId }) => eventId), sent.map(({ eventId }) => eventId));
  assert.equal((await stack.poll({ org, cursor, wait: 0 })).json.events.length, 0);
  const filtered = await stack.request('/tasks/realtime/history?propertyId=p-1', { token });
  assert.ok(filtered.json.events.length === 22 && filtered.json.events.every(({ propertyId }) => propertyId !== 'p-0'), filtered.text);
  for (const limit of [0, 1001, 'x']) assert.equal((await stack.request(`/tasks/realtime/history?limit=${limit}`, { token })).status, 400);
});

stack.test('at a cap the answer says overloaded and when to come again', async () => {
  const org = stack.org();
  const parked = [1, 1, 1, 2, 2].map((i) => stack.poll({ org, sub: `u-${i}` }));
  await stack.waiters(5);
  for (const sub of ['u-1', 'u-3']) { // one user's cap, then the channel's
    const res = await stack.poll({ org, sub });
    assert.deepEqual([res.status, res.json.events, res.json.overloaded], [200, [], true]);
    const after = Number(res.headers['retry-after']);
    assert.ok(after >= 2 && after <= 10, `Retry-After ${after}`);
  }
  assert.equal((await stack.store(event(org)))[0].woken, 5);
  for (const res of await Promise.all(parked)) assert.equal(res.json.events.length, 1);
});
