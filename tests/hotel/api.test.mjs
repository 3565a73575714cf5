// The backend's own promises, and what hostile requests get.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { sign } from '../lib/token.mjs';
import { Demo } from './demo.mjs';

const demo = await Demo.forFile();
const anna = await demo.login('anna');
const token = anna.accessToken;
const tasks = '/hotel/api/tasks';
const sound = { taskId: 'sound-1', propertyId: 'p-canal', title: 'Sound' };
const text = 'a'.repeat(200);

const refusal = async (res, status, code, pointer) => {
  assert.equal(res.status, status, res.text);
  assert.match(res.headers['content-type'], /problem\+json/);
  assert.equal(res.json.code, code, res.text);
  if (pointer !== undefined) assert.equal(res.json.pointer, pointer);
};

test('a task that is not sound is refused with the place, and nothing is stored', async () => {
  const before = demo.query('hotel.db', 'SELECT (SELECT count(*) FROM task) AS tasks, (SELECT max(seq) FROM sqlite_sequence) AS seq');
  for (const [body, pointer] of [
    [{ ...sound, title: '' }, '/title'],
    [{ ...sound, title: '   ' }, '/title'],
    [{ ...sound, title: text }, '/title'],
    [{ ...sound, title: 'a\nb' }, '/title'],
    [{ ...sound, title: 'a\u0000b' }, '/title'],
    [{ ...sound, title: 7 }, '/title'],
    [{ ...sound, title: null }, '/title'],
    [{ ...sound, room: text }, '/room'],
    [{ ...sound, notes: 'a'.repeat(1001) }, '/notes'],
    [{ ...sound, status: 'lost' }, '/status'],
    [{ ...sound, priority: 'very' }, '/priority'],
    [{ ...sound, taskId: '../x' }, '/taskId'],
    [{ ...sound, taskId: text }, '/taskId'],
    [{ ...sound, assignee: "' OR 1=1 --" }, '/assignee'],
    [{ ...sound, assignee: 'lena' }, '/assignee'], // of another house
    [{ ...sound, assignee: 'otso' }, '/assignee'], // of another company
    [{ ...sound, version: -1 }, '/version'],
    [{ ...sound, version: 1.5 }, '/version'],
    [{ ...sound, extra: 1 }, '/extra'],
    [{ title: 'x' }, ''],
    [{}, ''],
  ]) await refusal(await demo.api('POST', tasks, { token, body }), 422, 'invalid_task', pointer);
  for (const body of ['[]', '"x"', '{', '{"title":"a","title":"b"}', '{"title":"\\ud800"}', '\u0000', `{"a":${'['.repeat(10)}${']'.repeat(10)}}`, '{"title":"\xff"}']) {
    const res = await demo.api('POST', tasks, { token, body: Buffer.from(body, 'latin1').toString('latin1') });
    assert.ok([400, 422].includes(res.status), `${body}: ${res.text}`);
  }
  await refusal(await demo.api('POST', tasks, { token, body: { ...sound, propertyId: 'p-pine' } }), 403, 'forbidden', '/propertyId');
  await refusal(await demo.api('POST', tasks, { token, body: JSON.stringify({ ...sound, notes: 'x'.repeat(9000) }) }), 413, 'too_large');
  await refusal(await demo.api('POST', tasks, { token, body: JSON.stringify(sound), headers: { 'content-type': 'text/plain' } }), 415, 'unsupported_media_type');
  assert.deepEqual(demo.query('hotel.db', 'SELECT (SELECT count(*) FROM task) AS tasks, (SELECT max(seq) FROM sqlite_sequence) AS seq'), before);
});

test('paths, methods and queries that are not there', async () => {
  await refusal(await demo.api('GET', '/hotel/nothing'), 404, 'not_found');
  await refusal(await demo.api('GET', `/hotel/${text}`), 404, 'not_found');
  await refusal(await demo.api('POST', '/hotel/auth/staff', { body: {} }), 405, 'method_not_allowed');
  await refusal(await demo.api('PATCH', `${tasks}/nobody`, { token, body: { status: 'done' } }), 404, 'not_found');
  await refusal(await demo.api('DELETE', `${tasks}/nobody`, { token }), 404, 'not_found');
  for (const query of ['x=1', 'status', 'status=', 'status=a&status=b', 'propertyId=a%26b', `assignee=${text}`, "assignee='", 'a'.repeat(3000)]) {
    await refusal(await demo.api('GET', `${tasks}?${query}`, { token }), 400, 'bad_request');
  }
});

test('without a good token there is nothing; with one, only what is the person\'s', async () => {
  await refusal(await demo.api('GET', tasks), 401, 'token_missing');
  await refusal(await demo.api('GET', tasks, { token: 'x' }), 401, 'token_invalid');
  const forged = sign({ sub: 'anna', orgId: 'harbour', exp: 4e9 }, { alg: 'HS256', kid: 'quickstart', key: 'x'.repeat(64) });
  await refusal(await demo.api('GET', tasks, { token: forged }), 401, 'token_invalid');
  const [bruno, otso] = [(await demo.login('bruno')).accessToken, (await demo.login('otso')).accessToken];
  const seen = async (token) => new Set((await demo.api('GET', tasks, { token })).json.tasks.map((task) => task.propertyId));
  assert.deepEqual(await seen(bruno), new Set(['p-harbour']));
  assert.deepEqual(await seen(otso), new Set(['p-pine']));
  await refusal(await demo.api('GET', `${tasks}?propertyId=p-canal`, { token: bruno }), 403, 'forbidden');
  for (const stranger of [bruno, otso]) {
    await refusal(await demo.api('PATCH', `${tasks}/t-seed-09`, { token: stranger, body: { status: 'done' } }), 404, 'not_found');
    await refusal(await demo.api('DELETE', `${tasks}/t-seed-09`, { token: stranger }), 404, 'not_found');
  }
  await refusal(await demo.api('POST', tasks, { token: bruno, body: { ...sound, taskId: 't-seed-09', propertyId: 'p-harbour' } }), 409, 'conflict', '/taskId');
});

test('the cursor lies before the rows: every later change is behind it', async () => {
  const list = await demo.api('GET', tasks, { token });
  assert.equal(list.headers['x-realtime-cursor'], list.json.cursor);
  const made = await demo.api('POST', tasks, { token, body: { ...sound, taskId: 'after-the-rows' } });
  assert.equal(made.status, 201, made.text);
  const next = await demo.api('GET', '/tasks/realtime/subscribe', { token, headers: { 'last-event-id': list.json.cursor } });
  assert.deepEqual(next.json.events.map((event) => event.payload), [made.json]);
});

test('sessions: the refresh token turns, a lost answer is forgiven, theft is not', async () => {
  const refresh = (cookie, headers = {}) => demo.api('POST', '/hotel/auth/refresh', { headers: { cookie, ...headers } });
  const { cookie } = await demo.login('emeka');
  const first = await refresh(cookie);
  assert.equal(first.status, 200);
  const header = first.headers['set-cookie'][0];
  assert.match(header, /HttpOnly/);
  assert.match(header, /SameSite=Strict/);
  assert.match(header, /Path=\/hotel\/auth/);
  const second = header.split(';')[0];
  assert.notEqual(second, cookie);
  assert.equal((await refresh(cookie)).status, 200, 'within its 30 s');
  // Their time is over: the old one shows up once more.
  execFileSync('sqlite3', ['-cmd', '.timeout 5000', demo.file('hotel.db'), 'UPDATE refresh SET valid_until_ms = 1 WHERE valid_until_ms IS NOT NULL']);
  await refusal(await refresh(cookie), 401, 'session_ended');
  await refusal(await refresh(second), 401, 'session_ended');

  const other = (await demo.login('emeka')).cookie;
  await refusal(await refresh(other, { origin: 'http://evil.example' }), 403, 'forbidden');
  await refusal(await refresh(other, { origin: 'null' }), 403, 'forbidden');
  assert.equal((await refresh(other, { origin: demo.url })).status, 200);
  assert.equal((await demo.api('POST', '/hotel/auth/logout', { headers: { cookie: other } })).status, 204);
  await refusal(await refresh(other), 401, 'session_ended');
  for (const bad of ['hotel-refresh=x', `hotel-refresh=${'g'.repeat(64)}`, `hotel-refresh=${'0'.repeat(64)}`, `x=${'y'.repeat(6000)}`, '']) {
    await refusal(await refresh(bad), 401, 'session_ended');
  }
  for (const body of [{}, { user: 'nobody' }, { user: '' }, { user: 1 }, { user: 'anna\u0000' }, { user: "anna' --" }]) {
    await refusal(await demo.api('POST', '/hotel/auth/login', { body }), 400, 'bad_request', '/user');
  }
});

test('another origin: the configured one may, with cookies; others get no word', async () => {
  const ask = (origin) => demo.api('OPTIONS', tasks, { headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization,content-type' } });
  const known = await ask('http://localhost:5173');
  assert.equal(known.status, 204);
  assert.equal(known.headers['access-control-allow-origin'], 'http://localhost:5173');
  assert.equal(known.headers['access-control-allow-credentials'], 'true');
  assert.match(known.headers['access-control-allow-methods'], /PATCH/);
  assert.equal(known.headers['access-control-max-age'], '7200');
  const list = await demo.api('GET', tasks, { token, headers: { origin: 'http://localhost:5173' } });
  assert.match(list.headers['access-control-expose-headers'], /X-Realtime-Cursor/);
  const stranger = await ask('http://evil.example');
  assert.equal(stranger.headers['access-control-allow-origin'], undefined);
  assert.equal(stranger.headers.vary, 'Origin');
});

test('neither tokens nor what tasks say reach the log', async () => {
  const log = demo.log('hotel');
  assert.doesNotMatch(log, /eyJ|Sound|Bearer/);
  assert.match(log, /ready at/);
});
