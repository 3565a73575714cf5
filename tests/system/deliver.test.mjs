// Who gets what, how often and in which order.
import assert from 'node:assert/strict';
import { event, Stack } from '../lib/stack.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { range, waitFor } from '../lib/wait.mjs';

// On a slow machine 200 publishes take longer than memory reaches back.
const stack = await Stack.forFile({ conf: { broker: { buffer_seconds: 300 } } });

const subscribers = (n, who) => range(n).map((i) => new Subscriber(stack, { sub: `u-${i}`, ...who }));
const ids = (events) => events.map((each) => each.eventId);

// Until each has N events; then no poll is under way any more.
async function collect(all, n, ms = 60_000) {
  await waitFor(() => `${n} events; there are ${all.map((s) => s.events.length)}`, () => all.every((s) => s.events.length >= n), { ms });
  await Promise.all(all.map((s) => s.stop()));
}

stack.test('1,000 events reach each of 25 subscribers once and in order, and none of another org', async () => {
  const [org, other] = [stack.org(), stack.org()];
  const ours = subscribers(25, { org, cursor: await stack.cursor({ org }) });
  const theirs = subscribers(25, { org: other, cursor: await stack.cursor({ org: other }) });
  for (const s of [...ours, ...theirs]) s.start();
  await stack.waiters(50);

  const sent = range(1000).map(() => event(org));
  for (const each of sent) await stack.store(each);
  const [mark] = [event(other)];
  await stack.store(mark); // what the others wait for: all else would have come before

  await Promise.all([collect(ours, 1000), collect(theirs, 1)]);
  for (const s of ours) {
    assert.deepEqual(s.ids, ids(sent));
    assert.ok(s.events.every((each, i) => i === 0 || each.seq > s.events[i - 1].seq), 'seq rises');
    assert.deepEqual(s.gaps, []);
  }
  for (const s of theirs) assert.deepEqual(s.ids, [mark.eventId]);
}, { timeout: 300_000 });

stack.test('200 events between two polls all arrive, in one or two answers', async () => {
  const org = stack.org();
  const all = subscribers(10, { org, cursor: await stack.cursor({ org }) });
  const sent = range(200).map(() => event(org));
  for (const each of sent) await stack.store(each);

  for (const s of all) {
    while (s.events.length < 200 && s.answers.length < 3) await s.poll({ wait: 1 });
    assert.deepEqual(s.ids, ids(sent));
    assert.ok(s.answers.length <= 2, `in ${s.answers.length} answers`);
  }
});

stack.test('who never sends a cursor gets each event once, and takes none from another', async () => {
  const org = stack.org();
  const forgetful = subscribers(3, { org, keepsCursor: false });
  const careful = new Subscriber(stack, { org, sub: 'careful', cursor: await stack.cursor({ org }) });
  const sent = range(200).map(() => event(org));
  for (const s of [...forgetful, careful]) s.start();
  for (const each of sent) await stack.store(each);
  await collect([...forgetful, careful], 200);
  for (const s of [...forgetful, careful]) assert.deepEqual(s.ids, ids(sent));
});

stack.test('without a cursor, what the buffer holds comes at once, and only once', async () => {
  const org = stack.org();
  const sent = range(3).map(() => event(org));
  await stack.store(sent);
  const s = new Subscriber(stack, { org, keepsCursor: false });
  await s.poll();
  assert.deepEqual(s.ids, ids(sent));
  await s.poll({ wait: 0 });
  assert.equal(s.events.length, 3);
});

stack.test('an event of the whole org wakes a filtered waiter, one of another property does not', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const poll = stack.poll({ org, cursor, propertyId: 'p-1' });
  await stack.waiters(1);

  const [foreign] = await stack.store(event(org, { propertyId: 'p-2' }));
  assert.equal(foreign.woken, 0);
  const wide = event(org);
  const [told] = await stack.store(wide);
  assert.equal(told.woken, 1);
  const first = await poll;
  assert.deepEqual(ids(first.json.events), [wide.eventId]);

  const own = event(org, { propertyId: 'p-1' });
  await stack.store([event(org, { propertyId: 'p-2' }), own]);
  const second = await stack.poll({ org, cursor: first.json.cursor, propertyId: 'p-1' });
  assert.deepEqual(ids(second.json.events), [own.eventId]);
});

stack.test('a token for some properties gets those and what concerns the whole org', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const [one, two, three, wide] = [{ propertyId: 'p-1' }, { propertyId: 'p-2' }, { propertyId: 'p-3' }, {}].map((more) => event(org, more));
  await stack.store([one, two, three, wide]);
  const properties = ['p-1', 'p-3'];
  const all = await stack.poll({ org, properties, cursor });
  assert.deepEqual(ids(all.json.events), ids([one, three, wide]));
  const filtered = await stack.poll({ org, properties, cursor, propertyId: 'p-3' });
  assert.deepEqual(ids(filtered.json.events), ids([three, wide]));
  const refused = await stack.poll({ org, properties, cursor, propertyId: 'p-2' });
  assert.equal(refused.status, 403);
  assert.equal(refused.json.code, 'forbidden');
});

stack.test('an event arrives as it was sent: odd numbers, escapes, emoji, U+0000', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const payload = String.raw`{"big":12345678901234567890,"one":1.0,"exp":1E+2,"neg":-0,"nul":"a\u0000b","esc":"\"\\\/\b\f\n\r\t\u00e9","emoji":"😀é\ud83d\ude00","":[[],{},null,true,1e-7]}`;
  const body = `{"eventId":"odd\\u0065","eventType":"Täsk","timestamp":0,"orgId":"${org}","payload":${payload}}`;
  await stack.store(body);
  const { text, json } = await stack.poll({ org, cursor });
  assert.ok(text.includes(body.slice(0, -1)), text);
  assert.equal(json.events[0].payload.nul, 'a\0b');

  const page = await stack.request(`/tasks/realtime/history?cursor=${cursor}`, { token: stack.token({ org }) });
  assert.ok(page.text.includes(body.slice(0, -1)), 'and so does history');
});

stack.test('the same eventId twice is stored and delivered once; with another body it is a conflict', async () => {
  const org = stack.org();
  const s = new Subscriber(stack, { org, cursor: await stack.cursor({ org }) }).start();
  const once = event(org);
  const [first] = await stack.store(once);
  assert.equal(first.status, 'stored');
  const { payload, ...rest } = once; // the same members in another order
  const [again] = await stack.store({ payload, ...rest });
  assert.deepEqual(again, { eventId: once.eventId, status: 'duplicate', seq: first.seq, woken: again.woken });
  assert.ok(again.woken === 0 || again.woken === null, `woken ${again.woken}`);

  const conflict = await stack.publish({ ...once, payload: { other: true } });
  assert.equal(conflict.status, 409);
  assert.equal(conflict.json.code, 'event_conflict');
  const other = event(org);
  const batch = await stack.publish([other, { ...once, eventType: 'Other' }]);
  assert.equal(batch.status, 409);
  assert.equal(stack.query(`SELECT count(*) n FROM events WHERE org_id = '${org}'`)[0].n, 1, 'nothing of a refused batch is stored');

  const twins = await stack.store([other, other]);
  assert.deepEqual(twins.map((each) => each.status), ['stored', 'duplicate']);
  assert.equal(twins[1].seq, twins[0].seq);
  await collect([s], 2);
  assert.deepEqual(s.ids, ids([once, other]));
});

stack.test('a batch and NDJSON get consecutive numbers in their order', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const batch = range(500).map(() => event(org));
  const lines = range(20).map(() => event(org));
  const stored = [
    ...(await stack.store(batch)),
    ...(await stack.store(lines.map((each) => `${JSON.stringify(each)}\n`).join('\n'), { type: 'application/x-ndjson' })),
  ];
  assert.deepEqual(ids(stored), ids([...batch, ...lines]));
  assert.ok(stored.slice(0, 500).every(({ seq }, i) => seq === stored[0].seq + i));
  assert.ok(stored.slice(500).every(({ seq }, i) => seq === stored[500].seq + i));

  // More than the buffer holds: the gap says so, and history has them.
  const late = await stack.poll({ org, cursor, wait: 0 });
  assert.deepEqual([late.json.events, late.json.gap], [[], { reason: 'evicted' }]);
  const page = await stack.request(`/tasks/realtime/history?limit=1000&cursor=${cursor}`, { token: stack.token({ org }) });
  assert.deepEqual(ids(page.json.events), ids(stored));
});

stack.test('a token with an org publishes to that org alone', async () => {
  const [org, other] = [stack.org(), stack.org()];
  const token = stack.token({ org, scope: 'realtime:publish other:scope' });
  await stack.store(event(org), { token });
  const refused = await stack.publish([event(org), event(other)], { token });
  assert.equal(refused.status, 403);
  const scopeless = await stack.publish(event(org), { token: stack.token({ org }) });
  assert.equal(scopeless.status, 403);
  const orgless = await stack.poll({ token: stack.publisher });
  assert.equal(orgless.status, 403);
  assert.equal(stack.query(`SELECT count(*) n FROM events WHERE org_id IN ('${org}', '${other}')`)[0].n, 1);
});
