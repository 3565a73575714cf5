// The default cap of a channel: 5,000 wait, one more is told to come again.
// Alone: it wants many descriptors and both processors.
import assert from 'node:assert/strict';
import { agent } from '../lib/http.mjs';
import { descriptorLimit, event, Stack } from '../lib/stack.mjs';
import { range } from '../lib/wait.mjs';

const cap = 5000;
const wave = 500; // as many as a listen backlog takes at once
const wanted = 2 * cap + 500;
const enough = descriptorLimit() >= wanted;

const stack = await Stack.forFile({ conf: { broker: { poll_seconds: 90 } } }); // to park them all, on a slow machine

stack.test('5,001 waiters on one channel', async (t) => {
  const org = stack.org();
  const connections = agent();
  const cursor = await stack.cursor({ org });
  const poll = (i) => stack.poll({ org, sub: `u-${i}`, cursor, agent: connections });
  const answers = [];
  for (let i = 0; i < cap; i += wave) {
    for (const n of range(wave)) answers.push(poll(i + n));
    await stack.waiters(i + wave, 60_000);
  }

  for (let i = 0; i < 20; i++) { // by whomever, and it takes nothing from those who wait
    const { status, json, headers } = await poll(cap + i);
    assert.deepEqual([status, json.events, json.gap, json.overloaded, json.cursor], [200, [], null, true, cursor]);
    const after = Number(headers['retry-after']);
    assert.ok(after >= 2 && after <= 10, `Retry-After ${after}`);
  }
  assert.equal(stack.parked(), cap);
  const other = stack.org();
  const elsewhere = stack.poll({ org: other, agent: connections }); // another channel has room
  await stack.waiters(cap + 1);
  await stack.store(event(other));
  assert.equal((await elsewhere).json.events.length, 1);

  const one = event(org);
  const begun = Date.now();
  const [{ woken }] = await stack.store(one);
  assert.equal(woken, cap);
  const got = await Promise.all(answers);
  t.diagnostic(`one event to ${cap} waiters: ${Date.now() - begun} ms`);
  assert.ok(got.every(({ json }) => json?.events.length === 1 && json.events[0].eventId === one.eventId), 'each got the event');
  assert.equal((await stack.poll({ org, sub: 'late', cursor, agent: connections })).json.events.length, 1, 'and there is room again');
  connections.destroy();
  await stack.waiters(0);
}, { timeout: 240_000, skip: !enough && `needs ${wanted} file descriptors, the limit is ${descriptorLimit()}` });
