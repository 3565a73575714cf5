// Apache with mod_fcgid keeps a process for each parked poll: there must be
// enough of them soon enough, they must be small, they must not be in the way of
// publishing, and a client too many must be told so.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { agent } from '../lib/http.mjs';
import { descriptorLimit, event, Stack } from '../lib/stack.mjs';
import { range } from '../lib/wait.mjs';

const parked = 500; // as deploy/apache-fcgid.conf advises
const few = 12;
const enough = descriptorLimit() >= 3000;
const needs = !enough && `needs 3000 file descriptors, the limit is ${descriptorLimit()}`;

const stack = await Stack.forFile({ server: 'apache-fcgid', conf: { broker: { waiters: parked } } });
const narrow = await Stack.forFile({ server: 'apache-fcgid', web: `FcgidMaxProcessesPerClass ${few}` });

// The middle of N publishes, in milliseconds.
async function publishing(on, org, n = 21) {
  const times = [];
  for (let i = 0; i < n; i++) {
    const begun = performance.now();
    await on.store(event(org));
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[n >> 1];
}

// Busy, but never by a second: that is how long mod_fcgid sleeps without a process.
function prompt(t, idle, beside) {
  t.diagnostic(`publish: ${idle.toFixed(1)} ms idle, ${beside.toFixed(1)} ms beside the parked polls`);
  assert.ok(beside < Math.max(20 * idle, 500), `${beside} ms, idle ${idle} ms`);
}

// KiB that are a process's own.
function own(pid) {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm)].reduce((n, [, kib]) => n + Number(kib), 0);
}

// The processes that this stack's Apache has started for CLASS.
function relays(on, kind) {
  return fs.readdirSync('/proc').filter((pid) => {
    try {
      const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0] === './bellhop-relay' && words[3] === kind && fs.readlinkSync(`/proc/${pid}/cwd`) === on.dir;
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

stack.test(`${parked} polls are parked; one more is told when to come again; a publish is as prompt as ever`, async (t) => {
  const org = stack.org();
  const idle = await publishing(stack, stack.org());
  const connections = agent();
  const begun = Date.now();
  const cursor = await stack.cursor({ org });
  const answers = range(parked).map((i) => stack.poll({ org, sub: `u-${i}`, cursor, agent: connections }));
  await stack.waiters(parked, 60_000); // a slow machine; the aim is 10 s
  t.diagnostic(`${parked} parked in ${Date.now() - begun} ms`);

  const asked = Date.now();
  const over = await Promise.all(range(10).map((i) => stack.poll({ org, sub: `late-${i}`, cursor })));
  for (const { status, json, headers } of over) {
    assert.deepEqual([status, json.events, json.overloaded, json.cursor], [200, [], true, cursor]);
    const after = Number(headers['retry-after']);
    assert.ok(after >= 2 && after <= 10, `Retry-After ${after}`);
  }
  t.diagnostic(`10 too many were told so in ${Date.now() - asked} ms`);
  assert.equal(stack.parked(), parked);
  prompt(t, idle, await publishing(stack, stack.org()));

  const memory = relays(stack, 'waiting').map(own).sort((a, b) => a - b);
  t.diagnostic(`${memory.length} processes wait, each with ${memory[0]} to ${memory.at(-1)} KiB of its own`);
  assert.ok(memory.length >= parked);
  assert.ok(memory.at(-1) < 400, `${memory.at(-1)} KiB`);

  const one = event(org);
  await stack.store(one);
  for (const { json } of await Promise.all(answers)) assert.deepEqual(json.events.map(({ eventId }) => eventId), [one.eventId]);
  connections.destroy();
}, { timeout: 150_000, skip: needs });

narrow.test('with every process of its class parked and more asked for, a publish is as prompt as ever', async (t) => {
  const org = narrow.org();
  const idle = await publishing(narrow, narrow.org());
  const cursor = await narrow.cursor({ org });
  const polls = range(few).map((i) => narrow.poll({ org, sub: `u-${i}`, cursor }));
  await narrow.waiters(few, 60_000);
  const queued = range(4).map((i) => narrow.poll({ org, sub: `queued-${i}`, cursor }));
  prompt(t, idle, await publishing(narrow, narrow.org()));
  assert.equal(narrow.parked(), few, 'no more than its class has');
  const one = event(org);
  await narrow.store(one);
  for (const { json } of await Promise.all([...polls, ...queued])) assert.deepEqual(json.events.map(({ eventId }) => eventId), [one.eventId]);
}, { timeout: 120_000 });

narrow.test('without a worker the answer is a 503 that says when to come again; then all is well', async () => {
  await narrow.kill('worker0', 'SIGKILL');
  const res = await narrow.publish(event(narrow.org()));
  assert.deepEqual([res.status, res.headers['retry-after'], res.headers['content-type']], [503, '2', 'application/problem+json'], res.text);
  narrow.spawn('worker0');
  await narrow.healthy();
  await narrow.store(event(narrow.org()));
}, { timeout: 60_000 });
