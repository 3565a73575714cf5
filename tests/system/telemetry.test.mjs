// POST /telemetry/client: what clients tell of themselves.
import assert from 'node:assert/strict';
import { request } from '../lib/http.mjs';
import { Stack } from '../lib/stack.mjs';
import { range, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ conf: { telemetry: { rows: 30, address_requests_per_minute: 0 } } });
const limited = await Stack.forFile({ conf: { telemetry: { address_requests_per_minute: 1, address_burst: 3 } }, lanes: 2 });
const crowded = await Stack.forFile({ conf: { telemetry: { entries_per_second: 1, burst: 20, rows: 0 } } });

const tell = (body, { on = stack, type = 'application/json', headers = {}, at } = {}) =>
  on.request('/telemetry/client', { method: 'POST', at, body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': type, ...headers } });
// As the playbook's client sends it.
const entry = (eventType, more = {}) => ({ eventType, timestamp: Date.now(), domain: 'tasks', ...more });
const rows = (where, on = stack) => on.query(`SELECT * FROM telemetry WHERE ${where} ORDER BY id`);
const stored = (n, where) => waitFor(() => `${n} rows of ${where}; there are ${rows(where).length}`, () => rows(where).length === n);
async function taken(body, options) {
  const res = await tell(body, options);
  assert.deepEqual([res.status, res.text], [204, ''], res.text);
  return res;
}

stack.test('one, an array, an envelope, and a beacon\'s text/plain', async () => {
  await taken(entry('fast_empty', { elapsedMs: 12, backoffMs: 2000, isLeader: true }));
  await taken([entry('leader_acquired', { method: 'localStorage' }), entry('leader_takeover')]);
  await taken({ events: [entry('gap', { sessionId: 's-1', tabId: 't-1', data: { reason: 'evicted' } })] });
  await taken(JSON.stringify(entry('subscribe_error', { status: 503 })), { type: 'text/plain;charset=UTF-8' });
  await taken(entry('new_in_spring'));
  await stored(6, 'true');
  const seen = rows('true');
  assert.deepEqual(seen.map((row) => row.event_type), ['fast_empty', 'leader_acquired', 'leader_takeover', 'gap', 'subscribe_error', 'other']);
  assert.deepEqual(seen.map((row) => JSON.parse(row.data)), [
    { elapsedMs: 12, backoffMs: 2000, isLeader: true }, { method: 'localStorage' }, {}, { data: { reason: 'evicted' } }, { status: 503 }, { eventType: 'new_in_spring' },
  ]);
  assert.deepEqual([seen[3].session_id, seen[3].tab_id], ['s-1', 't-1']);
  for (const row of seen) assert.ok(Math.abs(row.at - row.timestamp) < 60_000 && row.domain === 'tasks');
});

stack.test('the views answer their questions', async () => {
  await taken([entry('steal', { sessionId: 'fighter', tabId: 'a' }), entry('steal', { sessionId: 'fighter', tabId: 'b' }), entry('subscribe_error', { data: { status: 502 }, sessionId: 'x' })]);
  await stored(3, 'session_id IN (\'fighter\', \'x\')');
  const all = (view) => stack.query(`SELECT * FROM ${view}`);
  assert.deepEqual(all('telemetry_sessions')[0].session_id, 'fighter');
  assert.deepEqual([all('telemetry_sessions')[0].steals, all('telemetry_sessions')[0].tabs], [2, 2]);
  assert.deepEqual(all('telemetry_errors').map(({ status, n }) => [status, n]).sort(), [[502, 1], [503, 1]]);
  assert.deepEqual(all('telemetry_fast_empty').map(({ n, elapsed_ms }) => [n, elapsed_ms]), [[1, 12]]);
  assert.deepEqual(all('telemetry_gaps').map(({ reason, n }) => [reason, n]), [['evicted', 1]]);
  const sum = (name) => all('telemetry_takeovers').reduce((n, row) => n + row[name], 0);
  assert.deepEqual([sum('acquired'), sum('takeovers'), sum('steals')], [1, 1, 2]);
  assert.equal(all('telemetry_types').reduce((n, row) => n + row.n, 0), 9);
});

stack.test('what isn\'t of its form is refused, and nothing of it is stored', async () => {
  const before = rows('true').length;
  const refused = async (body, status, code, pointer, options) => {
    const res = await tell(body, options);
    assert.deepEqual([res.status, res.json?.code], [status, code], `${JSON.stringify(body).slice(0, 100)}: ${res.text}`);
    if (pointer !== undefined) assert.equal(res.json.errors[0].pointer, pointer);
  };
  await refused('', 422, 'invalid_event', '');
  await refused('{', 422, 'invalid_event');
  await refused([entry('gap'), { domain: 'tasks' }], 422, 'invalid_event', '/1/eventType');
  await refused({ events: [entry('gap', { tabId: 'x'.repeat(65) })] }, 422, 'invalid_event', '/events/0/tabId');
  await refused(entry('gap', { domain: 'nowhere' }), 422, 'invalid_event');
  await refused(entry('gap', { a: 'x'.repeat(1020) }), 422, 'invalid_event', '');
  await refused(range(21).map(() => ({ eventType: 'gap', domain: 'tasks' })), 422, 'invalid_event', '');
  await refused(' '.repeat(4097), 413, 'too_large');
  await refused(entry('gap'), 415, 'unsupported_media_type', undefined, { type: 'application/x-ndjson' });
  await refused(entry('gap'), 415, 'unsupported_media_type', undefined, { type: 'text/html' });
  const get = await stack.request('/telemetry/client');
  assert.deepEqual([get.status, get.headers.allow], [405, 'POST, OPTIONS']);
  await taken(entry('gap', { sessionId: 'after' }));
  await stored(1, 'session_id = \'after\'');
  assert.equal(rows('true').length, before + 1);
});

stack.test('the newest rows are kept', async () => {
  for (let i = 0; i < 3; i++) await taken(range(20).map((n) => ({ eventType: 'gap', domain: 'tasks', n: i * 20 + n })));
  await stored(1, '(data ->> \'$.n\') = 59');
  assert.deepEqual(rows('true').map(({ data }) => JSON.parse(data).n), range(30).map((i) => i + 30));
});

stack.test('CORS, as everywhere', async () => {
  const origin = 'http://localhost:5173';
  const allowed = (res) => [res.headers['access-control-allow-origin'], res.headers['access-control-allow-credentials']];
  assert.deepEqual(allowed(await taken(entry('gap'), { headers: { origin } })), [origin, 'true']);
  assert.deepEqual(allowed(await tell('{', { headers: { origin } })), [origin, 'true']);
  assert.deepEqual(allowed(await taken(entry('gap'), { headers: { origin: 'https://evil.example' } })), [undefined, undefined]);
  const preflight = await stack.request('/telemetry/client', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  assert.deepEqual([preflight.status, ...allowed(preflight)], [204, origin, 'true']);
  assert.match(preflight.headers['access-control-allow-methods'], /POST/);
});

stack.test('one address has a limit, over all workers; others have their own', async () => {
  for (const at of [0, 1, 0]) await taken(entry('gap'), { on: limited, at });
  for (const at of [1, 0]) {
    const res = await tell(entry('gap'), { on: limited, at });
    assert.deepEqual([res.status, res.json.code], [429, 'rate_limited']);
    const after = Number(res.headers['retry-after']);
    assert.ok(after > 10 && after <= 60, `Retry-After ${after}`);
  }
  // lighttpd listens on 127.0.0.1, which any 127.x.y.z may call.
  const other = await request(`${limited.url}/telemetry/client`, {
    method: 'POST', body: JSON.stringify(entry('gap')), headers: { 'content-type': 'text/plain' }, localAddress: '127.9.9.9',
  });
  assert.equal(other.status, 204, other.text);
  await waitFor('four rows', () => rows('true', limited).length === 4);
});

stack.test('everybody together has one too; with no rows to keep nothing is stored', async () => {
  await taken(range(20).map(() => ({ eventType: 'gap', domain: 'tasks' })), { on: crowded });
  const res = await tell(range(20).map(() => ({ eventType: 'gap', domain: 'tasks' })), { on: crowded });
  assert.deepEqual([res.status, res.json?.code], [429, 'rate_limited']);
  assert.match(res.json.detail, /everybody/);
  await crowded.store({ eventId: 'e', eventType: 'T', timestamp: 1, orgId: 'o', payload: 0 });
  assert.deepEqual(rows('true', crowded), []);
});
