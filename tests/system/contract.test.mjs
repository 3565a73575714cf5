// Promises of PROTOCOL.md that no other file here is about, in its order. What
// every answer has, and what every path refuses: openapi/openapi.test.mjs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { event, Stack } from '../lib/stack.mjs';
import { EventSubscriber, openStream } from '../lib/stream.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { range, sleep, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ conf: { log_level: 'info', domain: { tasks: {}, rooms: {} } } });
// What waits here for long isn't among those that are counted there.
const slow = await Stack.forFile({ conf: { broker: { stream_max_seconds: 10 } } });
const subscribe = '/tasks/realtime/subscribe';
const ids = (events) => events.map(({ eventId }) => eventId);
const place = (cursor) => Number(cursor.split('-')[1]);

// What takes its time begins here, and is looked at in the end.
async function timed(promise) {
  const begun = performance.now();
  const result = await promise;
  return { result, ms: performance.now() - begun };
}
const idle = range(3).map((i) => timed(slow.poll({ org: 'org-idle', sub: `idle-${i}` })));
const streams = range(3).map((i) => {
  const s = new EventSubscriber(slow, { org: 'org-idle', sub: `stream-${i}`, cursor: null });
  return timed(s.once()).then(({ ms }) => ({ s, ms }));
});

// ---- order, cursors, gaps ----

stack.test('a cursor doesn\'t depend on the filter, and one that was given anywhere is good everywhere', async () => {
  const org = stack.org();
  const token = stack.token({ org });
  const start = await stack.cursor({ org });
  const sent = ['p', 'q', undefined, 'p', 'q'].map((propertyId) => event(org, { propertyId }));
  const stored = await stack.store(sent);
  const all = await stack.poll({ org, cursor: start, wait: 0 });
  const filtered = await stack.poll({ org, cursor: start, propertyId: 'p', wait: 0 });
  const nothing = await stack.poll({ org, cursor: start, propertyId: 'none of it', properties: ['none of it'], wait: 0 });
  assert.deepEqual(ids(filtered.json.events), ids([sent[0], sent[2], sent[3]]));
  for (const { json } of [all, filtered, nothing]) assert.ok(place(json.cursor) >= stored[4].seq, json.cursor);
  const page = await stack.request(`/tasks/realtime/history?limit=2&cursor=${start}`, { token });
  assert.equal(place(page.json.cursor), stored[1].seq);
  const rest = await stack.poll({ token, cursor: page.json.cursor, wait: 0 });
  assert.deepEqual(ids(rest.json.events), ids(sent.slice(2)));
  const published = (await stack.publish(event(org))).json.cursor;
  assert.deepEqual((await stack.poll({ token, cursor: published, wait: 0 })).json.events, []);
  assert.equal((await stack.poll({ token, cursor: rest.json.cursor, wait: 0 })).json.cursor, published);
});

stack.test('the header wins over the query, in subscribe, history and stream', async () => {
  const org = stack.org();
  const start = await stack.cursor({ org });
  const [one, two] = [event(org), event(org)];
  const [{ seq }] = await stack.store([one, two]);
  const after = `${start.split('-')[0]}-${seq}`;
  const token = stack.token({ org });
  for (const query of [start, 'nonsense', '0123456789abcdef-1']) {
    for (const what of ['subscribe', 'history']) {
      const res = await stack.request(`/tasks/realtime/${what}?cursor=${query}`, { token, headers: { 'last-event-id': after } });
      assert.deepEqual([res.status, ids(res.json.events), res.json.gap], [200, [two.eventId], null], `${what}, ${query}`);
    }
    const s = new EventSubscriber(stack, { org, cursor: after, path: `/tasks/realtime/stream?cursor=${query}` }).start();
    await waitFor('the event', () => s.events.length > 0);
    assert.deepEqual([s.ids, s.gaps], [[two.eventId], []]);
    await s.stop();
    const bad = await stack.request(`${subscribe}?cursor=${start}`, { token, headers: { 'last-event-id': query === start ? 'x' : `${query}x` } });
    assert.deepEqual([bad.status, bad.json.code], [400, 'bad_request']);
  }
});

stack.test('where the log doesn\'t reach back, subscribe, history and stream all say expired', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  await stack.store(range(5).map(() => event(org)));
  // As prune does it, which would leave the last seconds alone.
  const { seq } = stack.query('SELECT max(seq) seq FROM events')[0];
  execFileSync('flock', [`${stack.log}.lock`, 'sqlite3', '-cmd', '.timeout 5000', stack.log,
    `BEGIN IMMEDIATE; DELETE FROM events WHERE seq <= ${seq}; UPDATE log SET pruned_seq = ${seq}; COMMIT`]);
  const memory = await stack.poll({ org, cursor, wait: 0 });
  assert.deepEqual([memory.json.events.length, memory.json.gap], [5, null], 'who is in time isn\'t told of it');
  await stack.store(range(250).map(() => event(org)));
  const token = stack.token({ org });
  const poll = await stack.poll({ token, cursor });
  const page = await stack.request('/tasks/realtime/history', { token, headers: { 'last-event-id': cursor } });
  for (const { json } of [poll, page]) assert.deepEqual([json.events, json.gap], [[], { reason: 'expired' }]);
  assert.equal(page.json.more, false);
  const s = new EventSubscriber(stack, { org, cursor }).start();
  await waitFor('the gap', () => s.gaps.length === 1);
  const one = event(org);
  await stack.store(one);
  await waitFor('the event', () => s.events.length === 1);
  assert.deepEqual([s.gaps[0].reason, s.ids], ['expired', [one.eventId]]);
  await s.stop();
});

stack.test('a cursor of a log that was named in another way is told of the other log, as any stranger', async () => {
  const org = stack.org();
  const token = stack.token({ org });
  for (const cursor of ['9f3a1c2e-1042', 'Zz-0', `${'0'.repeat(16)}-1`]) {
    const poll = await stack.poll({ token, cursor });
    const page = await stack.request(`/tasks/realtime/history?cursor=${cursor}`, { token });
    for (const { status, json } of [poll, page]) assert.deepEqual([status, json.events, json.gap], [200, [], { reason: 'log' }], cursor);
    const s = new EventSubscriber(stack, { org, cursor }).start();
    await waitFor('the gap', () => s.gaps.length === 1);
    await s.stop();
    assert.equal(s.gaps[0].reason, 'log');
  }
});

stack.test('history: filter, pages and a gap agree; the pages of a filter go through the whole log', async () => {
  const org = stack.org();
  const token = stack.token({ org, properties: ['p', 'q'] });
  const sent = range(30).map((i) => event(org, { propertyId: ['p', 'q', 'r'][i % 3] }));
  await stack.store(sent);
  const seen = [];
  let cursor;
  for (let more = true; more;) {
    const page = await stack.request(`/tasks/realtime/history?limit=4&propertyId=q${cursor ? `&cursor=${cursor}` : ''}`, { token });
    assert.deepEqual(Object.keys(page.json), ['events', 'cursor', 'gap', 'more']);
    assert.equal(page.json.gap, null);
    assert.ok(page.json.events.length <= 4 && (page.json.events.length === 4 || !page.json.more));
    seen.push(...page.json.events);
    ({ cursor, more } = page.json);
  }
  assert.deepEqual(ids(seen), ids(sent.filter(({ propertyId }) => propertyId === 'q')));
  assert.equal((await stack.poll({ token, cursor, wait: 0 })).json.events.length, 0, 'its last cursor is at the head');
});

// ---- subscribe ----

stack.test('the playbook\'s first hook: a GET with a content type, no cursor, no client id', async () => {
  const org = stack.org();
  const poll = stack.request(subscribe, { token: stack.token({ org }), headers: { 'content-type': 'application/json', origin: 'http://localhost:5173' } });
  await stack.store(event(stack.org()));
  await waitFor('the waiter', async () => (await stack.publish(event(org))).json.results[0].woken === 1);
  const { status, json } = await poll;
  assert.equal(status, 200);
  assert.ok(json.events.length >= 1);
});

stack.test('wait=0 answers at once, and wait is the whole wait', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  for (const wait of ['0', '00']) {
    const { result, ms } = await timed(stack.poll({ org, cursor, wait }));
    assert.deepEqual([result.status, result.json], [200, { events: [], cursor: result.json.cursor, gap: null }]);
    assert.equal(result.headers['retry-after'], undefined);
    assert.ok(ms < 20_000, 'an idle poll takes 25 s');
  }
  const { ms } = await timed(stack.poll({ org, cursor, wait: 2 }));
  assert.ok(ms >= 1950, `${ms} ms`);
});

stack.test('20 waiters of a user; the next is told to come again, another user is not', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const polls = range(20).map(() => stack.poll({ org, cursor }));
  await stack.waiters(20);
  const over = await stack.poll({ org, cursor });
  assert.deepEqual([over.status, over.json], [200, { events: [], cursor, gap: null, overloaded: true }]);
  const after = Number(over.headers['retry-after']);
  assert.ok(Number.isInteger(after) && after >= 2 && after <= 10, `Retry-After ${after}`);
  const lines = await stack.request('/tasks/realtime/stream', { token: stack.token({ org }), headers: { accept: 'application/x-ndjson', 'last-event-id': cursor } });
  const { overloaded } = lines.text.split('\n').filter(Boolean).map(JSON.parse).find((line) => line.overloaded);
  assert.ok(overloaded.retryAfterMs >= 2000 && overloaded.retryAfterMs <= 10_000);
  const beside = stack.poll({ org, cursor, sub: 'another' });
  await stack.waiters(21);
  assert.equal((await stack.store(event(org)))[0].woken, 21);
  for (const { json } of [...await Promise.all(polls), await beside]) assert.deepEqual([json.events.length, json.overloaded], [1, undefined]);
});

stack.test('X-Client-Id: a stream ends a poll and a poll a stream; another domain is another channel', async () => {
  const org = stack.org();
  const token = stack.token({ org });
  const name = { 'x-client-id': 'tab-1' };
  const elsewhere = stack.request('/rooms/realtime/subscribe?wait=20', { token, headers: name });
  const poll = stack.poll({ token, clientId: 'tab-1' });
  await stack.waiters(2);
  const s = new EventSubscriber(stack, { org, headers: name });
  const over = s.once();
  const superseded = await poll;
  assert.deepEqual([superseded.status, superseded.json.code], [409, 'superseded']);
  await waitFor('the stream', () => s.opened === 1);
  const again = stack.poll({ token, clientId: 'tab-1', wait: 20 });
  await over;
  assert.deepEqual(s.notices, [{ type: 'superseded', code: 'superseded' }]);
  await stack.waiters(2);
  await stack.store(event(org));
  assert.equal((await again).json.events.length, 1);
  await stack.request('/rooms/realtime/publish', { method: 'POST', token: stack.publisher, body: JSON.stringify(event(org)), headers: { 'content-type': 'application/json' } });
  assert.equal((await elsewhere).json.events.length, 1, 'nothing of it ended the one in the other domain');
});

stack.test('a lone event isn\'t held; a burst of 50 costs a few polls', async (t) => {
  const org = stack.org();
  const s = new Subscriber(stack, { org, cursor: await stack.cursor({ org }) }).start();
  await stack.waiters(1);
  const { ms } = await timed((async () => {
    const storing = [];
    for (let i = 0; i < 50; i++) {
      storing.push(stack.store(event(org)));
      await sleep(2);
    }
    await Promise.all(storing);
    await waitFor('the burst', () => s.events.length === 50);
  })());
  // Each holds for 10 ms; a slow machine spreads the burst.
  t.diagnostic(`50 events over ${Math.round(ms)} ms in ${s.answers.length} answers`);
  assert.ok(s.answers.length <= 5 + ms / 8, `${s.answers.length} answers in ${ms} ms`);
  await s.stop();
});

// ---- stream ----

stack.test('what a stream begins with: retry first, then where it stands', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const one = event(org);
  const [{ seq }] = await stack.store(one);
  const first = async (headers) => {
    let text = '';
    const s = await openStream(`${stack.url}/tasks/realtime/stream`, { headers: { authorization: `Bearer ${stack.token({ org })}`, ...headers }, on: (part) => (text += part) });
    assert.equal(s.headers['content-type'].split(';')[0], headers.accept ?? 'text/event-stream');
    await waitFor('the event', () => text.includes(one.eventId) && /\n\n?$/.test(text));
    s.leave();
    return text;
  };
  const log = cursor.split('-')[0];
  const events = await first({ 'last-event-id': cursor });
  assert.match(events, /^retry: \d+\n\n:/);
  assert.match(events, new RegExp(`\nid: ${log}-${seq}\ndata: \\{"eventId":"${one.eventId}",.*,"seq":${seq}\\}\n\n`));
  assert.doesNotMatch(events, /^(event|data):(?! ?\{)/m, 'one line for each event');
  const lines = (await first({ 'last-event-id': cursor, accept: 'application/x-ndjson' })).split('\n').filter(Boolean).map(JSON.parse);
  assert.deepEqual(lines.slice(0, 2), [{ cursor }, { event: { ...one, seq }, cursor: `${log}-${seq}` }]);
  assert.match(await first({}), /^retry: \d+\n\n/, 'without a cursor, what is in memory');
});

// ---- publish ----

stack.test('duplicates among new ones, and twice in one batch: who is woken for what', async () => {
  const org = stack.org();
  const known = event(org);
  await stack.store(known);
  const s = new Subscriber(stack, { org, cursor: await stack.cursor({ org }) }).start();
  await waitFor('the waiter', async () => stack.parked() > 0);
  await sleep(0);
  const [a, b] = [event(org), event(org)];
  const { json } = await stack.publish([a, known, b, a]);
  assert.deepEqual(json.results.map(({ eventId, status }) => [eventId, status]), [[a.eventId, 'stored'], [known.eventId, 'duplicate'], [b.eventId, 'stored'], [a.eventId, 'duplicate']]);
  const [one, old, two, twice] = json.results;
  assert.deepEqual([two.seq, twice.seq, place(json.cursor)], [one.seq + 1, one.seq, two.seq], 'numbers have no hole');
  assert.ok(old.seq < one.seq);
  assert.deepEqual([old.woken, twice.woken], [0, 0], 'nobody is woken again');
  await waitFor('both', () => s.events.length === 2);
  await s.stop();
  assert.deepEqual(ids(s.events), ids([a, b]));
});

stack.test('the same eventId with another body: in one batch, in lines, in another org or domain', async () => {
  const [org, other] = [stack.org(), stack.org()];
  const one = event(org);
  const changed = { ...one, payload: { other: 1 } };
  const conflict = async (body, pointer, options) => {
    const res = await stack.publish(body, options);
    assert.deepEqual([res.status, res.json.code, res.json.errors[0].pointer], [409, 'event_conflict', pointer], res.text);
  };
  await conflict([one, changed], '/events/1/eventId');
  assert.equal(stack.query(`SELECT count(*) n FROM events WHERE org_id = '${org}'`)[0].n, 0, 'nothing of it is stored');
  await stack.store(one);
  await conflict(changed, '/eventId');
  for (const [name, value] of [['eventType', 'Other'], ['timestamp', 5], ['propertyId', 'p']]) await conflict({ ...one, [name]: value }, '/eventId');
  await conflict([JSON.stringify(event(org)), JSON.stringify(changed)].join('\n'), '/1/eventId', { type: 'application/x-ndjson' });
  const spaced = await stack.store(JSON.stringify(one, null, 3));
  assert.equal(spaced[0].status, 'duplicate', 'white space is no difference');
  assert.equal((await stack.store({ ...changed, orgId: other }))[0].status, 'stored');
  const rooms = await stack.request('/rooms/realtime/publish', { method: 'POST', token: stack.publisher, body: JSON.stringify(changed), headers: { 'content-type': 'application/json' } });
  assert.equal(rooms.json.results[0].status, 'stored');
});

stack.test('1 to 500 events, as an envelope or as lines; media types as they are written', async () => {
  const org = stack.org();
  const lines = (n, end = '\n') => range(n).map(() => JSON.stringify(event(org))).join(end);
  const ndjson = { type: 'application/x-ndjson' };
  assert.equal((await stack.store(range(500).map(() => event(org)))).length, 500);
  assert.equal((await stack.store(lines(500), ndjson)).length, 500);
  assert.equal((await stack.store(lines(3, '\r\n\r\n'), ndjson)).length, 3);
  for (const [body, type] of [[lines(501), ndjson.type], ['', ndjson.type], ['\n\n', ndjson.type], ['{"events":[]}', 'application/json'], [`[${lines(1)}]`, 'application/json']]) {
    const res = await stack.publish(body, { type });
    assert.deepEqual([res.status, res.json.code], [422, 'invalid_event'], body.slice(0, 40));
  }
  for (const type of ['application/json;charset=utf-8', 'Application/JSON ; charset="UTF-8"', 'application/json;']) await stack.store(lines(1), { type });
  for (const type of ['', 'text/json', 'application/json; charset=latin1', 'application/jsonp', 'multipart/form-data']) {
    const res = await stack.publish(lines(1), { type });
    assert.deepEqual([res.status, res.json.code], [415, 'unsupported_media_type'], type);
  }
});

stack.test('what refuses one event of a batch names it', async () => {
  const [org, other] = [stack.org(), stack.org()];
  const token = stack.token({ org, scope: ['other', 'realtime:publish'] });
  const res = await stack.publish([event(org), event(other)], { token });
  assert.deepEqual([res.status, res.json.code, res.json.errors[0].pointer], [403, 'forbidden', '/events/1/orgId']);
  const many = await stack.publish(range(30).map(() => ({})));
  assert.equal(many.status, 422);
  assert.ok(many.json.errors.length > 1 && many.json.errors.length <= 16, 'several at once, and not without end');
  for (const { pointer, detail } of many.json.errors) assert.ok(pointer.startsWith('/events/') && detail);
});

stack.test('each kind of refusal of a publish to a valid token is on record; others are counted', async () => {
  const org = stack.org();
  const one = event(org);
  await stack.store(one);
  const own = stack.token({ sub: 'mine', org, scope: 'realtime:publish' });
  const kinds = {
    forbidden: [event(stack.org()), { token: own }],
    event_conflict: [{ ...one, payload: 2 }, {}],
    unsupported_media_type: [one, { type: 'text/csv' }],
    invalid_event: ['{', {}],
    too_large: [Buffer.alloc(33_000_000, ' '), {}],
  };
  for (const [code, [body, options]] of Object.entries(kinds)) {
    // No more than some a second are written.
    await waitFor(`${code} on record`, async () => {
      const res = await stack.publish(body, { ...options, headers: { 'x-request-id': `record-${code}` } });
      assert.equal(res.json.code, code);
      return stack.query(`SELECT 1 FROM refusals WHERE code = '${code}' AND request_id = 'record-${code}'`).length > 0;
    }, { every: 200 });
  }
  const token = stack.token({ scope: 'realtime:publish', ttl: -1 });
  await stack.publish(one, { token, headers: { 'x-request-id': 'record-none' } });
  await stack.publish('{', { headers: { 'x-request-id': 'record-last' } });
  await sleep(1200); // more than the writer takes
  assert.deepEqual(stack.query('SELECT 1 FROM refusals WHERE request_id = \'record-none\''), []);
});

// ---- tokens ----

stack.test('claims of another form are refused; scheme and scope in every form are taken', async () => {
  const org = stack.org();
  const bad = [{ sub: undefined }, { sub: '' }, { sub: 7 }, { sub: 'x'.repeat(129) }, { orgId: 7 }, { orgId: '' }, { properties: 'p' }, { properties: [7] }, { exp: '9999999999' }];
  for (const claims of bad) {
    const res = await stack.poll({ token: stack.token({ org, claims }), wait: 0 });
    assert.deepEqual([res.status, res.json.code], [401, 'token_invalid'], JSON.stringify(claims));
    assert.match(res.headers['www-authenticate'], /^Bearer .*error="invalid_token"/);
  }
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    const res = await stack.request(`${subscribe}?wait=0`, { headers: { authorization: `${scheme} ${stack.token({ org })}` } });
    assert.equal(res.status, 200, scheme);
  }
  for (const scope of ['realtime:publish', 'a realtime:publish b', ['realtime:publish'], ['a', 'realtime:publish']]) await stack.store(event(org), { token: stack.token({ scope }) });
  for (const scope of ['realtime:publisher', 'xrealtime:publish', ['realtime'], '', [], undefined]) {
    const res = await stack.publish(event(org), { token: stack.token({ scope }) });
    assert.equal(res.status, 403, JSON.stringify(scope));
  }
  const missing = await stack.request(subscribe);
  assert.equal(missing.headers['www-authenticate'], 'Bearer realm="bellhop"');
});

// ---- CORS ----

stack.test('only the very origin that is listed gets a CORS header', async () => {
  const near = ['http://localhost:5173/', 'http://LOCALHOST:5173', 'https://localhost:5173', 'http://localhost:51730', 'http://localhost', 'null', '*', 'http://localhost:5173, https://open.example', 'https://open.example.evil.example', ''];
  for (const origin of near) {
    for (const method of ['GET', 'OPTIONS']) {
      const res = await stack.request('/healthz?live', { method, headers: { origin, 'access-control-request-method': 'GET' } });
      assert.deepEqual(Object.keys(res.headers).filter((name) => name.startsWith('access-control')), [], `${method} from ${origin}`);
      assert.equal(res.headers.vary, 'Origin');
    }
  }
  const open = await stack.request(subscribe, { method: 'OPTIONS', headers: { origin: 'https://open.example', 'access-control-request-method': 'GET' } });
  assert.deepEqual([open.status, open.headers['access-control-allow-origin'], open.headers['access-control-allow-credentials'], open.headers['access-control-max-age']], [204, 'https://open.example', undefined, '7200']);
});

// ---- logging ----

stack.test('a line for each poll, as the playbook has it', async () => {
  const org = stack.org();
  await stack.store([event(org), event(org)]);
  await stack.poll({ org, sub: 'anna', wait: 0, headers: { origin: 'http://localhost:5173', 'user-agent': 'Mozilla/5.0 (X11)' } });
  await stack.poll({ org, sub: 'anna', propertyId: 'p-3', wait: 0, headers: { 'user-agent': '' } });
  const text = () => fs.readFileSync(stack.file('broker.log'), 'utf8');
  await waitFor('both lines', () => text().includes(`orgId=${org} userId=anna propertyId=p-3`));
  assert.match(text(), new RegExp(`\\[RealtimeSubscribe\\]\\[completed\\] orgId=${org} userId=anna propertyId=all events=2 durationMs=\\d+ origin=http://localhost:5173 ua="Mozilla/5\\.0 \\(X11\\)"`));
  assert.match(text(), new RegExp(`\\[RealtimeSubscribe\\]\\[completed\\] orgId=${org} userId=anna propertyId=p-3 events=2 durationMs=\\d+ origin=- ua=""`));
  const forged = 'x events=99';
  await stack.poll({ org, sub: forged, propertyId: forged, wait: 0, headers: { origin: forged, 'user-agent': 'a" b="c' } });
  const line = await waitFor('its line', () => text().split('\n').find((each) => each.includes('userId=x')));
  assert.match(line, /userId=x\\x20events=99 propertyId=x\\x20events=99 events=2 durationMs=\d+ origin=x\\x20events=99 ua="a\\x22 b=\\x22c"$/);

  // What failed is found by its X-Request-ID.
  const older = stack.poll({ org, sub: 'bert', clientId: 'tab-1', cursor: await stack.cursor({ org }), headers: { 'x-request-id': 'older-1' } });
  await stack.waiters(1);
  await stack.poll({ org, sub: 'bert', clientId: 'tab-1', wait: 0 });
  assert.equal((await older).status, 409);
  const failed = await waitFor('its line', () => text().split('\n').find((each) => each.includes('code=superseded id=older-1')));
  assert.match(failed, /\[RealtimeSubscribe\]\[failure\] .* code=superseded id=older-1$/);
});

// ---- a domain that the environment has switched off ----

stack.test('ENABLE_<DOMAIN>_REALTIME_V2=false switches a domain off, and bellhopctl says so', async () => {
  process.env.ENABLE_ROOMS_REALTIME_V2 = 'false';
  let off;
  try {
    off = await Stack.start({ conf: { domain: { tasks: {}, rooms: {} } } });
  } finally {
    delete process.env.ENABLE_ROOMS_REALTIME_V2;
  }
  try {
    const token = off.token({ org: 'o' });
    const res = await off.request('/rooms/realtime/subscribe', { token });
    assert.deepEqual([res.status, res.json.code], [503, 'domain_disabled']);
    assert.match(res.json.detail, /ENABLE_/);
    assert.ok(Number(res.headers['retry-after']) >= 1);
    assert.equal((await off.poll({ token, wait: 0 })).status, 200);
  } finally {
    await off.stop();
  }
});

// ---- memory ----

stack.test('a channel that nobody uses is forgotten, and its cursors are as good as before', async () => {
  const small = await Stack.start({ conf: { broker: { channel_idle_seconds: 1, buffer_seconds: 1 } } });
  try {
    const org = 'o';
    const token = small.token({ scope: 'realtime:metrics' });
    const orgs = async () => (await small.request('/tasks/realtime/metrics', { token })).json.orgs.total;
    const first = await small.poll({ org, wait: 0 });
    const sent = [event(org), event(org)];
    await small.store(sent);
    assert.equal(await orgs(), 1);
    await waitFor('it to be forgotten', async () => (await orgs()) === 0, { ms: 30_000, every: 100 });
    const late = await small.poll({ org, cursor: first.json.cursor });
    assert.deepEqual([late.json.events, late.json.gap], [[], { reason: 'evicted' }], 'memory doesn\'t reach back; the log does');
    const page = await small.request(`/tasks/realtime/history?cursor=${first.json.cursor}`, { token: small.token({ org }) });
    assert.deepEqual(ids(page.json.events), ids(sent));
    const fresh = await small.poll({ org, cursor: page.json.cursor, wait: 0 });
    assert.deepEqual([fresh.json.events, fresh.json.gap], [[], null]);
  } finally {
    await small.stop();
  }
});

// ---- what began at the top ----

slow.test('a poll with nothing to say takes 25 to 26 s, and a stream lasts as long as it may, a fifth more or less', async (t) => {
  for (const { result, ms } of await Promise.all(idle)) {
    assert.deepEqual([result.status, result.json.events, result.json.gap, result.headers['retry-after']], [200, [], null, undefined]);
    assert.ok(ms >= 24_950, `a poll took ${ms} ms`);
    t.diagnostic(`an idle poll: ${Math.round(ms)} ms`);
  }
  for (const { s, ms } of await Promise.all(streams)) {
    assert.deepEqual([s.endings, s.notices, s.retries], [[{ complete: true }], [], [2000]]);
    assert.ok(s.cursor, 'it knows where to go on');
    assert.ok(ms >= 7950, `a stream lasted ${ms} ms`);
    t.diagnostic(`a stream of at most 10 s: ${Math.round(ms)} ms`);
  }
});
