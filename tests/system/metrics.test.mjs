// Metrics: what they say agrees with what was sent and got, over two workers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { build, event, Stack } from '../lib/stack.mjs';
import { EventSubscriber } from '../lib/stream.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { pool, range, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ lanes: 2, conf: { limits: { publisher_events_per_second: 0, org_events_per_second: 0 } } });
const token = stack.token({ scope: 'realtime:metrics' });

const json = async (domain = 'tasks') => {
  const res = await stack.request(`/${domain}/realtime/metrics`, { token });
  assert.equal(res.status, 200, res.text);
  return res.json;
};
const prometheus = async () => (await stack.request('/metrics', { token })).text;
const sample = (text, name) => {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
};

stack.test('after 10,000 events the sums are exactly what was sent and got', async () => {
  const orgs = range(5).map(() => stack.org());
  const polls = await Promise.all(orgs.flatMap((org) => range(3).map(async (i) => new Subscriber(stack, { org, sub: `p-${i}`, cursor: await stack.cursor({ org }), at: i % 2 }).start())));
  const streams = orgs.flatMap((org) => range(2).map((i) => new EventSubscriber(stack, { org, sub: `s-${i}` }).start()));
  await waitFor('the streams', () => streams.every((s) => s.opened === 1));
  await waitFor('all of them to be counted', async () => (await json()).subscribers.active_count === 25);
  const waiting = await json();
  assert.deepEqual(waiting.subscribers.by_transport, { poll: 15, stream: 10, ndjson: 0 });
  // 10,000 events in batches of 20, by either worker, org by org in turns.
  const per = 2000;
  // Nobody falls behind by as much as memory holds, however slow the machine.
  await pool(range(500), 8, async (k) => {
    const few = 20 * Math.floor(k / 5) - 100;
    await waitFor('all to follow', () => [...polls, ...streams].every((s) => s.events.length >= few));
    await stack.store(range(20).map(() => event(orgs[k % 5])), { at: k % 2 });
  });
  const [first] = await stack.store(event(orgs[0], { eventId: 'again' }));
  const [again] = await stack.store(event(orgs[0], { eventId: 'again', timestamp: 1 })).catch(() => [null]);
  assert.equal(first.status, 'stored');
  assert.equal(again, null, 'another body under the same id is refused');
  const got = (s, i) => s.events.length === per + (i === 0 ? 1 : 0);
  await waitFor(
    () => `everything everywhere: ${[...polls, ...streams].map((s) => s.events.length)}`,
    () => orgs.every((_, i) => polls.slice(3 * i, 3 * i + 3).every((s) => got(s, i)) && streams.slice(2 * i, 2 * i + 2).every((s) => got(s, i))),
    { ms: 40_000 },
  );
  const gaps = [...polls, ...streams].reduce((n, s) => n + s.gaps.length, 0);
  assert.equal(gaps, 0);
  const all = [...polls, ...streams].reduce((n, s) => n + s.events.length, 0);
  // The other worker tells what it counted once a second.
  await waitFor('both workers to have told', async () => (await json()).publish.requests_total === 501);
  const m = await json();
  assert.equal(m.events.published_total, 10_001);
  assert.equal(m.events.delivered_total, all);
  assert.equal(m.events.gaps_total, 0);
  assert.equal(m.publish.stored_total, 10_001);
  assert.equal(m.publish.duplicates_total, 0);
  assert.equal(m.refused.event_conflict, 1);
  assert.equal(m.log.last_seq, 10_001);
  assert.equal(m.log.rows, 10_001);
  assert.equal(m.log.lag, 0);
  assert.deepEqual(m.orgs, { total: 5, active_last_5m: 5 });
  assert.ok(m.buffers.max_per_org <= 200 && m.buffers.total_size <= 1000);
  assert.equal(m.events.dropped_total + m.events.expired_total + m.buffers.total_size, 10_001);
  assert.ok(m.latency_ms.count > 0 && m.latency_ms.p50 <= m.latency_ms.p99 && m.latency_ms.p99 <= m.latency_ms.max * 1.04);
  assert.ok(m.process.memory_bytes > 0 && m.process.open_fds > 0 && m.process.worker.memory_bytes > 0);
  const text = await prometheus();
  assert.equal(sample(text, 'bellhop_events_published_total{domain="tasks"}'), 10_001);
  assert.equal(sample(text, 'bellhop_events_delivered_total{domain="tasks"}'), all);
  assert.equal(sample(text, 'bellhop_publish_to_deliver_seconds_count{domain="tasks"}'), m.latency_ms.count);
  assert.equal(sample(text, 'bellhop_broker_up'), 1);
  for (const org of orgs) assert.ok(!text.includes(org) && !JSON.stringify(m).includes(org), 'no org is named');
  await Promise.all([...polls, ...streams].map((s) => s.stop()));
  await waitFor('nobody to wait', async () => (await json()).subscribers.active_count === 0);
});

stack.test('what is refused is counted by its code', async () => {
  const before = (await json()).refused;
  await stack.request('/tasks/realtime/subscribe', {});
  await stack.request('/tasks/realtime/subscribe', { token: 'x.y.z' });
  await stack.publish('{');
  const after = (await json()).refused;
  for (const [code, n] of Object.entries({ token_missing: 1, token_invalid: 1, invalid_event: 1, forbidden: 0 })) assert.equal(after[code] - before[code], n, code);
});

stack.test('duplicates, and a domain of its own', async () => {
  const org = stack.org();
  const one = event(org);
  const before = (await json()).publish;
  await stack.store(one);
  const [again] = await stack.store(one);
  assert.equal(again.status, 'duplicate');
  const after = (await json()).publish;
  assert.equal(after.duplicates_total - before.duplicates_total, 1);
  const retired = await json('retired');
  assert.equal(retired.domain, 'retired');
  assert.equal(retired.events.published_total, 0);
});

stack.test('bellhopctl stats says the same', async () => {
  const run = (...args) => execFileSync(path.join(build, 'bellhopctl'), ['-c', stack.lanes[0].conf, 'stats', ...args], { encoding: 'utf8', cwd: stack.dir });
  const one = JSON.parse(run('--json', '--domain', 'tasks'));
  const m = await json();
  assert.deepEqual(one.events, m.events);
  assert.deepEqual(JSON.parse(run('--json')).map((each) => each.domain).includes('tasks'), true);
  assert.match(run(), /domain tasks\n {2}orgs\.total +\d+\n/);
  assert.match(run('--prometheus'), /^# HELP bellhop_broker_up/);
  assert.throws(() => run('--domain', 'nowhere'), (error) => error.status === 64);
});

stack.test('scopes, methods, preflight', async () => {
  for (const place of ['/metrics', '/tasks/realtime/metrics']) {
    for (const [options, status] of [
      [{}, 401],
      [{ token: stack.token({ org: 'o' }) }, 403],
      [{ token: stack.publisher }, 403],
      [{ token, method: 'POST', body: '' }, 405],
      [{ method: 'OPTIONS', headers: { origin: 'http://localhost:5173', 'access-control-request-method': 'GET' } }, 204],
    ])
      assert.equal((await stack.request(place, options)).status, status, `${place} ${JSON.stringify(options)}`);
  }
  const res = await stack.request('/metrics', { token });
  assert.equal(res.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
});

stack.test('without the broker: what is known, and nulls, not zeros', async () => {
  await stack.kill('broker');
  const m = await json();
  assert.equal(m.up, false);
  assert.equal(m.events.published_total, null);
  assert.equal(m.log.lag, null);
  assert.ok(m.log.last_seq > 10_000);
  const text = await prometheus();
  assert.equal(sample(text, 'bellhop_broker_up'), 0);
  assert.equal(sample(text, 'bellhop_events_published_total{domain="tasks"}'), undefined);
  const begun = Date.now();
  stack.spawn('broker');
  await stack.healthy();
  const fresh = await json();
  assert.ok(fresh.process.uptime_seconds <= (Date.now() - begun) / 1000);
  assert.equal(fresh.up, true);
});
