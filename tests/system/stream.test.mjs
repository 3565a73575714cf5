// Event streams through the web server: as they come, and from where they
// stopped. What one who reads slowly costs: slow.alone.test.mjs.
import assert from 'node:assert/strict';
import { event, Stack } from '../lib/stack.mjs';
import { EventSubscriber, openStream } from '../lib/stream.mjs';
import { sleep, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ conf: { broker: { heartbeat_seconds: 1 }, worker: { threads: 4 } } });
const path = '/tasks/realtime/stream';

const bearer = (who) => ({ authorization: `Bearer ${stack.token(who)}` });

stack.test('events come as they are published, in order, with the cursor as id', async () => {
  const org = stack.org();
  const s = new EventSubscriber(stack, { org }).start();
  await waitFor('the stream', () => s.opened === 1);
  const sent = [];
  for (let i = 0; i < 20; i++) {
    sent.push(event(org));
    const [result] = await stack.store(sent.at(-1));
    assert.equal(result.woken, 1);
    await waitFor('the event', () => s.events.length === i + 1);
    assert.equal(s.events[i].seq, result.seq);
    assert.equal(s.cursor.split('-')[1], String(result.seq));
  }
  assert.deepEqual(s.ids, sent.map((each) => each.eventId));
  assert.deepEqual(s.retries, [2000]);
  const { headers } = s.stream;
  assert.match(headers['content-type'], /^text\/event-stream/);
  assert.equal(headers['cache-control'], 'no-store');
  assert.ok(headers['x-request-id']);
  await s.stop();
  await stack.waiters(0);
});

stack.test('heartbeats while nothing comes', async () => {
  const s = new EventSubscriber(stack, { org: stack.org() }).start();
  await waitFor('three comments', () => s.comments >= 3);
  assert.deepEqual([s.events, s.opened], [[], 1]);
  await s.stop();
});

stack.test('as JSON lines, for a client that reads a fetch body', async () => {
  const org = stack.org();
  const one = event(org);
  const cursor = await stack.cursor({ org });
  await stack.store(one);
  let text = '';
  const stream = await openStream(stack.url + path, {
    headers: { ...bearer({ org }), accept: 'application/x-ndjson', 'last-event-id': cursor },
    on: (part) => (text += part),
  });
  assert.match(stream.headers['content-type'], /^application\/x-ndjson/);
  const lines = () => text.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  await waitFor('the event and a heartbeat', () => lines().length >= 3);
  const [first, second] = lines();
  assert.deepEqual(first, { cursor });
  assert.equal(second.event.eventId, one.eventId);
  assert.equal(second.cursor, `${cursor.split('-')[0]}-${second.event.seq}`);
  for (const line of lines()) assert.ok(line.cursor);
  stream.leave();
});

stack.test('a broker that is killed again and again loses nothing and doubles nothing', async () => {
  const org = stack.org();
  const subscribers = [0, 1, 2, 3].map((i) => new EventSubscriber(stack, { org, sub: `u-${i}` }).start());
  await waitFor('the streams', () => subscribers.every((s) => s.opened > 0 && s.cursor));
  const sent = [];
  let over = false;
  const publishing = (async () => {
    while (!over) {
      const each = event(org);
      const res = await stack.publish(each);
      if (res.status === 200) sent.push(each.eventId);
      await sleep(5);
    }
  })();
  for (let i = 0; i < 3; i++) {
    await waitFor('all to be back', () => subscribers.every((s) => s.opened > i));
    await sleep(300);
    await stack.restart('broker');
    await stack.healthy();
  }
  await waitFor('all to be back', () => subscribers.every((s) => s.opened > 3));
  await sleep(200);
  over = true;
  await publishing;
  await waitFor(
    () => `${sent.length} events at each; ${subscribers.map((s) => s.events.length)}`,
    () => subscribers.every((s) => s.events.length >= sent.length),
  );
  for (const s of subscribers) {
    assert.deepEqual(s.ids, sent);
    assert.deepEqual(s.gaps, []);
    assert.ok(s.opened >= 4, 'it came back after each');
    await s.stop();
  }
});

stack.test('without the broker there is no stream: 503 and when to come back', async () => {
  await stack.kill('broker');
  const res = await stack.request(path, { token: stack.token({ org: stack.org() }) });
  assert.deepEqual([res.status, res.json.code], [503, 'broker_down']);
  assert.ok(Number(res.headers['retry-after']) >= 1);
  stack.spawn('broker');
  const again = new EventSubscriber(stack, { org: stack.org() }).start();
  await waitFor('a stream', () => again.opened === 1);
  await again.stop();
  await stack.waiters(0);
});

stack.test('ends with its token, and nothing is sent after', async () => {
  const org = stack.org();
  // Longer where the machine is too slow to open it and to publish before the end.
  let s;
  for (let ttl = 2; !s?.events.length && ttl < 30; ttl *= 2) {
    s = new EventSubscriber(stack, { org, ttl });
    const ended = s.once().catch(() => {});
    await Promise.race([ended, waitFor('the stream', () => s.opened === 1)]);
    await stack.store(event(org));
    await ended;
  }
  assert.equal(s.events.length, 1);
  assert.deepEqual(s.notices, [{ type: 'token_expired', code: 'token_expired' }]);
  assert.deepEqual(s.endings, [{ complete: true }]);
  const [late] = await stack.store(event(org));
  assert.equal(late.woken, 0);
  assert.equal(s.events.length, 1);
  const res = await stack.request(path, { token: s.token });
  assert.deepEqual([res.status, res.json.code], [401, 'token_expired']);
});

stack.test('a newer stream of the same client ends the older', async () => {
  const org = stack.org();
  const headers = { 'x-client-id': 'tab-1' };
  const first = new EventSubscriber(stack, { org, headers });
  const ended = first.once();
  await waitFor('the first', () => first.opened === 1);
  const second = new EventSubscriber(stack, { org, headers }).start();
  await ended;
  assert.deepEqual(first.notices, [{ type: 'superseded', code: 'superseded' }]);
  await stack.waiters(1);
  await second.stop();
});

stack.test('a cursor that memory no longer reaches is told, and what is kept follows', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const first = new EventSubscriber(stack, { org }).start(); // so that the channel is there
  await waitFor('the stream', () => first.opened === 1);
  const sent = Array.from({ length: 450 }, () => event(org));
  await stack.store(sent);
  const s = new EventSubscriber(stack, { org, sub: 'u-2', cursor }).start();
  await waitFor('the rest', () => s.events.length >= 200);
  assert.equal(s.gaps.length, 1);
  const [{ reason, from, to }] = s.gaps;
  assert.equal(reason, 'evicted');
  assert.equal(from, Number(cursor.split('-')[1]));
  assert.equal(to + 1, s.events[0].seq, 'the hole ends where the events begin');
  assert.deepEqual(s.ids, sent.slice(-200).map((each) => each.eventId));
  await Promise.all([first.stop(), s.stop()]);
});

stack.test('preflight, CORS and refusals are those of subscribe', async () => {
  const preflight = await stack.request(path, {
    method: 'OPTIONS',
    headers: { origin: 'http://localhost:5173', 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization,last-event-id' },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], 'http://localhost:5173');
  assert.equal(preflight.headers['access-control-allow-credentials'], 'true');
  const s = new EventSubscriber(stack, { org: stack.org(), headers: { origin: 'http://localhost:5173' } }).start();
  await waitFor('the stream', () => s.opened === 1);
  assert.equal(s.stream.headers['access-control-allow-origin'], 'http://localhost:5173');
  await s.stop();
  for (const [options, status, code] of [
    [{}, 401, 'token_missing'],
    [{ token: stack.token({}) }, 403, 'forbidden'],
    [{ token: stack.token({ org: 'o' }), method: 'POST', body: '' }, 405, 'method_not_allowed'],
    [{ token: stack.token({ org: 'o', properties: ['p'] }), query: '?propertyId=q' }, 403, 'forbidden'],
    [{ token: stack.token({ org: 'o' }), query: '?wait=3' }, 400, 'bad_request'],
    [{ token: stack.token({ org: 'o' }), query: '?cursor=nonsense' }, 400, 'bad_request'],
  ]) {
    const { query = '', ...rest } = options;
    const res = await stack.request(path + query, rest);
    assert.deepEqual([res.status, res.json.code], [status, code]);
  }
});
