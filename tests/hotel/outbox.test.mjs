// The outbox: whatever dies, every change is published, exactly once.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { Demo, shows, waitFor } from './demo.mjs';

const demo = await Demo.forFile();
const slow = { timeout: 120_000 };

const make = (token, id) => demo.api('POST', '/hotel/api/tasks', { token, body: { taskId: id, propertyId: 'p-harbour', title: id } });
const waiting = async () => (await demo.api('GET', '/hotel/healthz')).json?.outbox;
const empty = () => waitFor(async () => 'an empty outbox', async () => (await waiting()) === 0, { ms: 60_000, every: 50 });
// How often the log has the creation of each of these.
const published = (ids) => {
  const rows = demo.query('log.db', "SELECT json_extract(body, '$.payload.taskId') AS id, count(*) AS n FROM events WHERE event_type = 'TaskCreated' GROUP BY 1");
  const times = new Map(rows.map(({ id, n }) => [id, n]));
  return ids.map((id) => times.get(id) ?? 0);
};
const names = (prefix, n) => Array.from({ length: n }, (_, i) => `${prefix}-${String(i).padStart(2, '0')}`);

for (const part of ['worker', 'broker']) {
  test(`with the ${part} down changes are taken, and go out when it is back`, slow, async () => {
    const bruno = await demo.person('bruno');
    const { accessToken: token } = await demo.login('anna');
    const ids = names(part, 12);
    const raise = await demo.fell(part);
    for (const id of ids) assert.equal((await make(token, id)).status, 201, 'the board itself needs no Bellhop');
    if (part === 'worker') {
      assert.equal(await waiting(), 12);
      const list = await demo.api('GET', '/hotel/api/tasks', { token });
      assert.equal(list.json.cursor, null);
      assert.equal(list.headers['x-realtime-cursor'], undefined);
    }
    raise();
    await empty();
    assert.deepEqual(published(ids), ids.map(() => 1));
    for (const id of ids) await shows(bruno, id);
  });
}

test('the backend killed amid a burst, again and again: what it had answered is published, once', slow, async () => {
  const { accessToken: token } = await demo.login('anna');
  const answered = [];
  for (let round = 0; round < 4; round++) {
    const ids = names(`kill-${round}`, 10);
    const old = demo.pid('hotel');
    let taken = 0;
    await Promise.all(ids.map(async (id) => {
      const res = await make(token, id).catch(() => null);
      if (res?.status !== 201) return;
      answered.push(id);
      if (++taken === 3) process.kill(old, 'SIGKILL');
    }));
    await waitFor('the backend again', async () => demo.pid('hotel') !== old && (await waiting().catch(() => undefined)) !== undefined);
  }
  await empty();
  assert.ok(answered.length >= 12);
  assert.deepEqual(published(answered), answered.map(() => 1));
  const doubles = demo.query('log.db', "SELECT json_extract(body, '$.payload.taskId') AS id FROM events WHERE event_type = 'TaskCreated' GROUP BY 1 HAVING count(*) > 1");
  assert.deepEqual(doubles, []);
  const unsaid = demo.query('hotel.db', "SELECT id FROM task WHERE id LIKE 'kill-%'").map(({ id }) => id);
  assert.deepEqual(published(unsaid), unsaid.map(() => 1), 'whatever is on the board was announced');
});

test('a create that is repeated after a lost answer is one task and one event', slow, async () => {
  const { accessToken: token } = await demo.login('anna');
  assert.equal((await make(token, 'twice')).status, 201);
  const again = await make(token, 'twice');
  assert.deepEqual([again.status, again.json.version], [200, 1]);
  await empty();
  assert.deepEqual(published(['twice']), [1]);
});

test('what Bellhop refuses for good is put aside, and does not hold up the rest', slow, async () => {
  const { accessToken: token } = await demo.login('anna');
  const raise = await demo.fell('worker');
  await make(token, 'before');
  // An event that no publisher should write: the log's own order is kept all the same.
  const sql = "INSERT INTO outbox (body) VALUES (json_object('eventId', 'poison', 'eventType', 'TaskCreated', 'timestamp', -1, 'orgId', 'harbour', 'payload', json('{}')))";
  execFileSync('sqlite3', ['-cmd', '.timeout 5000', demo.file('hotel.db'), sql]);
  await make(token, 'behind');
  raise();
  await empty();
  assert.deepEqual(published(['before', 'behind']), [1, 1]);
  assert.deepEqual(demo.query('hotel.db', "SELECT json_extract(body, '$.eventId') AS id, status FROM refused"), [{ id: 'poison', status: 422 }]);
  assert.match(demo.log('hotel'), /refuses event \d+ for good/);
});
