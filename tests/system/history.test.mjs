// History: pages, filters and gaps; and the retired poll's switch.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { event, Stack } from '../lib/stack.mjs';
import { range, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile();
const ids = (events) => events.map(({ eventId }) => eventId);

async function history(who, query = {}, headers = {}) {
  const token = who.token ?? stack.token(who);
  const res = await stack.request(`/tasks/realtime/history?${new URLSearchParams(query)}`, { token, headers });
  return Object.assign(res, { json: res.json ?? {} });
}

async function page(who, query, headers) {
  const res = await history(who, query, headers);
  assert.equal(res.status, 200, res.text);
  assert.deepEqual(Object.keys(res.json), ['events', 'cursor', 'gap', 'more']);
  assert.equal(res.headers['cache-control'], 'no-store');
  return res.json;
}

stack.test('limit: 200 unless asked for, 1 to 1000; more says whether there is more', async () => {
  const org = stack.org();
  const sent = range(1001).map(() => event(org));
  for (const from of [0, 500, 1000]) await stack.store(sent.slice(from, from + 500));
  const expect = async (query, n, more) => {
    const { events, ...rest } = await page({ org }, query);
    assert.deepEqual([ids(events), rest.gap, rest.more], [ids(sent.slice(0, n)), null, more], JSON.stringify(query));
    return rest.cursor;
  };
  await expect({}, 200, true);
  await expect({ limit: 1 }, 1, true);
  const cursor = await expect({ limit: 1000 }, 1000, true);
  const last = await page({ org }, { limit: 1, cursor }); // as many as are asked for, and no more behind them
  assert.deepEqual([ids(last.events), last.more], [[sent[1000].eventId], false]);
  const end = await page({ org }, { cursor: last.cursor });
  assert.deepEqual([end.events, end.more, end.gap], [[], false, null]);
  for (const limit of ['0', '1001', '-1', '1.5', '', 'x', '1e2', '99999999999999999999']) {
    const res = await history({ org }, { limit });
    assert.deepEqual([res.status, res.json.code], [400, 'bad_request'], `limit=${limit}`);
  }
  for (const query of [{ wait: 1 }, { other: 1 }, { cursor: 'nonsense' }]) assert.equal((await history({ org }, query)).status, 400);
  const header = await page({ org }, { cursor: '0123456789abcdef-1' }, { 'last-event-id': cursor });
  assert.deepEqual(ids(header.events), [sent[1000].eventId], 'the header wins');
});

stack.test('a property, and those that the token permits, with the org\'s own events', async () => {
  const org = stack.org();
  const sent = range(40).map((i) => event(org, [{}, { propertyId: 'p' }, { propertyId: 'q' }, { propertyId: 'r' }][i % 4]));
  await stack.store(sent);
  await stack.store(event(stack.org(), { propertyId: 'p' }));
  const passing = (...properties) => ids(sent.filter(({ propertyId }) => propertyId === undefined || properties.includes(propertyId)));
  const all = async (who, query) => {
    const seen = [];
    for (let cursor, more = true; more;) {
      const part = await page(who, { limit: 7, ...query, ...(cursor && { cursor }) });
      assert.ok(part.events.length <= 7);
      seen.push(...part.events);
      ({ cursor, more } = part);
    }
    return ids(seen);
  };
  assert.deepEqual(await all({ org }), ids(sent));
  assert.deepEqual(await all({ org }, { propertyId: 'p' }), passing('p'));
  assert.deepEqual(await all({ org }, { propertyId: 'nothing of it' }), passing());
  assert.deepEqual(await all({ org, properties: ['q', 'r'] }), passing('q', 'r'));
  assert.deepEqual(await all({ org, properties: ['q', 'r'] }, { propertyId: 'r' }), passing('r'));
  assert.deepEqual(await all({ org, properties: [] }), passing());
  const outside = await history({ org, properties: ['q', 'r'] }, { propertyId: 'p' });
  assert.deepEqual([outside.status, outside.json.code], [403, 'forbidden']);
  const orgless = await history({});
  assert.deepEqual([orgless.status, orgless.json.code], [403, 'forbidden']);
  assert.equal((await stack.request('/tasks/realtime/history')).status, 401);
});

stack.test('events are as they were published, with their seq', async () => {
  const org = stack.org();
  const body = `{"eventId":"odd-1","eventType":"T","timestamp":1,"orgId":"${org}","payload":{"a":1.0,"b":12345678901234567890,"c":"\\u00e9\\/"}}`;
  const [{ seq }] = await stack.store(body);
  const { text } = await history({ org });
  assert.ok(text.includes(`${body.slice(0, -1)},"seq":${seq}}`), text);
});

stack.test('pages while others publish: each event once, in order', async () => {
  const org = stack.org();
  const total = 600;
  const publishing = Promise.all(range(3).map(async (lane) => {
    for (let i = 0; i < total / 3; i += 4) await stack.store(range(4).map((n) => event(org, { payload: { lane, n: i + n } })));
  }));
  let done = false;
  publishing.finally(() => (done = true));
  const seen = [];
  for (let cursor, over = false; !over;) {
    const ended = done; // read before the page, so that the last one begins after the last publish
    const part = await page({ org }, { limit: 17, ...(cursor && { cursor }) });
    assert.equal(part.gap, null);
    seen.push(...part.events);
    over = ended && !part.more;
    ({ cursor } = part);
  }
  await publishing;
  assert.equal(seen.length, total);
  assert.ok(seen.every(({ seq }, i) => i === 0 || seq > seen[i - 1].seq), 'seq rises');
  for (const lane of range(3)) assert.deepEqual(seen.filter(({ payload }) => payload.lane === lane).map(({ payload }) => payload.n), range(total / 3));
});

stack.test('a cursor of another log, of the future, or from before what was pruned', async () => {
  const org = stack.org();
  const before = await stack.cursor({ org });
  const sent = range(10).map(() => event(org));
  const results = await stack.store(sent);
  const [logId] = before.split('-');
  const gap = async (cursor, reason) => {
    const part = await page({ org }, { cursor, limit: 5 });
    assert.deepEqual([part.events, part.gap, part.more], [[], { reason }, false], cursor);
    const after = await page({ org }, { cursor: part.cursor });
    assert.deepEqual([after.events, after.gap], [[], null], 'its cursor is at the head');
  };
  await gap('0123456789abcdef-1', 'log');
  await gap(`${logId}-${results[9].seq + 1}`, 'log');
  assert.equal((await page({ org }, { cursor: `${logId}-${results[9].seq}` })).gap, null);

  // As the pruning does it, under the writers' lock.
  const pruned = results[3].seq;
  execFileSync('flock', [`${stack.log}.lock`, 'sqlite3', '-cmd', '.timeout 5000', stack.log,
    `BEGIN IMMEDIATE; DELETE FROM events WHERE seq <= ${pruned}; UPDATE log SET pruned_seq = ${pruned}; COMMIT`]);
  await gap(before, 'expired');
  await gap(`${logId}-${pruned - 1}`, 'expired');
  for (const query of [{ cursor: `${logId}-${pruned}` }, {}]) { // and without a cursor: from what is left
    const part = await page({ org }, query);
    assert.deepEqual([ids(part.events), part.gap], [ids(sent.slice(4)), null]);
  }
});

stack.test('the retired poll: the switch works both ways while all runs', async () => {
  const { conf } = stack.lanes[0];
  const original = fs.readFileSync(conf, 'utf8');
  const answer = async (domain) => {
    const res = await stack.request(`/${domain}/events/subscribe?orgId=1&since=abc`, { headers: { origin: 'http://localhost:5173' } });
    assert.equal(res.headers['access-control-allow-origin'], 'http://localhost:5173');
    return res;
  };
  const gone = async (domain) => {
    const res = await answer(domain);
    if (res.status !== 410) return false;
    assert.equal(res.headers['content-type'], 'application/problem+json');
    assert.deepEqual([res.json.code, res.json.status], ['gone', 410]);
    assert.equal(res.headers.link, `</${domain}/realtime/subscribe>; rel="successor-version"`);
    return true;
  };
  const silent = async (domain) => {
    const res = await answer(domain);
    return res.status === 200 && res.text === '{"events":[]}' && res.headers['content-type'] === 'application/json';
  };
  const turn = async (from, to) => {
    fs.writeFileSync(conf, fs.readFileSync(conf, 'utf8').replace(from, to));
    stack.children.get('worker0').process.kill('SIGHUP');
  };
  assert.ok((await gone('tasks')) && (await silent('retired')));
  await turn('legacy = true', 'legacy = false');
  await waitFor('retired to be gone', () => gone('retired'));
  await turn('domain "tasks" {', 'domain "tasks" {\n    legacy = true');
  await waitFor('tasks to be silent', () => silent('tasks'));
  fs.writeFileSync(conf, original);
  stack.children.get('worker0').process.kill('SIGHUP');
  await waitFor('all as it was', async () => (await gone('tasks')) && silent('retired'));
  const off = await answer('off');
  assert.deepEqual([off.status, off.json.code], [503, 'domain_disabled']);
  assert.equal((await answer('nobody')).status, 404);
  const post = await stack.request('/tasks/events/subscribe', { method: 'POST', body: '' });
  assert.deepEqual([post.status, post.headers.allow], [405, 'GET, OPTIONS']);
}, { skip: stack.web.spawns });
