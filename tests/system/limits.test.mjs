// How fast may be published: by a publisher and into an org, over all workers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { event, Stack } from '../lib/stack.mjs';
import { range, waitFor } from '../lib/wait.mjs';

// Slow enough that nothing comes in by the way, however slow the machine.
const limits = { publisher_events_per_second: 2, publisher_burst: 100, org_events_per_second: 1, org_burst: 40, body_kilobytes: 200 };
const stack = await Stack.forFile({ conf: { limits }, lanes: 2 });
let subjects = 0;
const publisher = () => stack.token({ sub: `publisher-${++subjects}`, scope: 'realtime:publish' });
const batch = (n, ...orgs) => range(n).map((i) => event(orgs[i % orgs.length]));
const rows = (org) => stack.query(`SELECT count(*) AS n FROM events WHERE org_id = '${org}'`)[0].n;

function isLimited(res, whose) {
  assert.deepEqual([res.status, res.json?.code], [429, 'rate_limited'], res.text);
  assert.equal(res.headers['content-type'], 'application/problem+json');
  assert.match(res.json.detail, whose);
  return Number(res.headers['retry-after']);
}

stack.test('an org: a burst, then 429 from every worker, and nothing stored', async () => {
  const org = stack.org();
  await stack.store(batch(40, org), { token: publisher() });
  for (const at of [0, 1, 1]) { // another publisher is no help
    const after = isLimited(await stack.publish(batch(35, org), { token: publisher(), at }), /organisation/);
    assert.ok(after > 20 && after <= 35, `Retry-After ${after}`);
  }
  assert.equal(rows(org), 40);
  await stack.store(batch(40, stack.org()), { token: publisher() });
});

stack.test('after Retry-After the same request passes', async () => {
  const org = stack.org();
  const token = publisher();
  await stack.store(batch(40, org), { token });
  // On a slow machine there may be room again: until there is none.
  let one, begun, res;
  do {
    one = batch(3, org);
    begun = Date.now();
    res = await stack.publish(one, { token });
  } while (res.status === 200);
  const after = isLimited(res, /organisation/);
  assert.ok(after >= 1 && after <= 3, `Retry-After ${after}`);
  await waitFor('room', () => Date.now() - begun >= after * 1000, { every: 50 });
  assert.equal((await stack.publish(one, { token, at: 1 })).status, 200);
});

stack.test('a publisher: over all orgs, and no other publisher suffers', async () => {
  const token = publisher();
  const orgs = range(10).map(() => stack.org());
  await stack.store(batch(100, ...orgs), { token });
  const after = isLimited(await stack.publish(batch(60, ...orgs), { token, at: 1 }), /publisher/);
  assert.ok(after > 15 && after <= 30, `Retry-After ${after}`);
  assert.deepEqual(orgs.map(rows), orgs.map(() => 10));
  await stack.store(batch(60, ...orgs), { token: publisher() });
});

stack.test('what is refused uses nothing up: not the publisher\'s, nor that of the other orgs', async () => {
  const token = publisher();
  const [full, a, b] = [stack.org(), stack.org(), stack.org()];
  await stack.store(batch(40, full), { token: publisher() });
  for (let i = 0; i < 5; i++) isLimited(await stack.publish(batch(90, a, full, b), { token }), /organisation/);
  await stack.store(batch(80, a, b), { token });
});

stack.test('a batch larger than the burst passes once, and is paid for', async () => {
  const org = stack.org();
  await stack.store(batch(90, org), { token: publisher() });
  const after = isLimited(await stack.publish(event(org), { token: publisher() }), /organisation/);
  assert.ok(after > 40 && after <= 51, `Retry-After ${after}`);
});

stack.test('a request that isn\'t valid uses nothing up; one that is limited is put on record', async () => {
  const org = stack.org();
  const token = publisher();
  for (let i = 0; i < 5; i++) assert.equal((await stack.publish([...batch(39, org), {}], { token })).status, 422);
  await stack.store(batch(40, org), { token });
  isLimited(await stack.publish(batch(40, org), { token }), /organisation/);
  await waitFor('the record', () => stack.query(`SELECT 1 FROM refusals WHERE code = 'rate_limited' AND subject = 'publisher-${subjects}'`).length === 1);
});

stack.test('who is told to wait and doesn\'t is refused unread; others of other orgs aren\'t', async () => {
  const org = stack.org();
  const token = stack.token({ sub: 'impatient', org, scope: 'realtime:publish' });
  await stack.store(batch(40, org), { token });
  await waitFor('a body that would be refused to be left unread', async () => {
    isLimited(await stack.publish(batch(40, org), { token }), /organisation/);
    return (await stack.publish('{', { token, at: 1 })).status === 429;
  });
  const same = stack.token({ sub: 'impatient', org: stack.org(), scope: 'realtime:publish' });
  assert.equal((await stack.publish('{', { token: same })).status, 422);
});

stack.test('a body: one byte too many, and nothing of it is stored', async () => {
  const [org, token] = [stack.org(), publisher()];
  const text = JSON.stringify({ events: batch(4, org) });
  const tooLarge = await stack.publish(text.padEnd(200 * 1024 + 1), { token });
  assert.deepEqual([tooLarge.status, tooLarge.json.code], [413, 'too_large']);
  assert.equal(rows(org), 0);
  await stack.store(text.padEnd(200 * 1024), { token });
  assert.equal(rows(org), 4);
});

stack.test('the metrics say what the limits are', async () => {
  const { json } = await stack.request('/tasks/realtime/metrics', { token: stack.token({ scope: 'realtime:metrics' }) });
  assert.deepEqual([json.limits.publisher_events_per_second, json.limits.org_events_per_second, json.limits.body_bytes], [2, 1, 200 * 1024]);
});

stack.test('reread by SIGHUP; 0 is no limit', async () => {
  const org = stack.org();
  const token = publisher();
  await stack.store(batch(40, org), { token });
  const { conf } = stack.lanes[0];
  const before = fs.readFileSync(conf, 'utf8');
  fs.writeFileSync(conf, before.replace(/(publisher|org)_events_per_second = \d+/g, '$1_events_per_second = 0'));
  stack.children.get('worker0').process.kill('SIGHUP');
  await waitFor('no limit', async () => (await stack.publish(batch(40, org), { token })).status === 200);
  for (let i = 0; i < 5; i++) await stack.store(batch(500, org), { token });
  isLimited(await stack.publish(batch(40, org), { token, at: 1 }), /publisher|organisation/);
  fs.writeFileSync(conf, before);
}, { skip: stack.web.spawns });
