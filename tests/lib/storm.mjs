// storm.mjs: publishing and subscribing through an outage, and the account
// afterwards: what was answered with 200 reached everybody once, or lies in a
// gap that the subscriber was told of.
import assert from 'node:assert/strict';
import { event } from './stack.mjs';
import { Subscriber } from './subscriber.mjs';
import { pool, range, sleep, waitFor } from './wait.mjs';

// Publish until it is answered with 200: the same eventId each time, so that a
// retry of what was stored already changes nothing.
export async function insist(stack, one, options) {
  const end = Date.now() + 60_000;
  for (;;) {
    const res = await stack.publish(one, options).catch((error) => ({ text: error.message }));
    if (res.status === 200) return res.json.results[0];
    if (res.status < 500) throw new Error(`publish: ${res.status} ${res.text}`);
    if (Date.now() > end) throw new Error(`publish is still refused: ${res.status} ${res.text}`);
    await sleep(25);
  }
}

// Publish N events, 4 at a time, with 6 subscribers attached; `disturb(done)` is
// called with the number of answers as each comes, and awaited by that publisher.
export async function storm(stack, { n = 500, lanes = 1, disturb }) {
  const org = stack.org();
  const start = await stack.cursor({ org });
  const subscribers = range(6).map((i) => new Subscriber(stack, { org, sub: `u-${i}`, cursor: start, patient: true, at: i % lanes }).start());
  await stack.waiters(6);
  const sent = range(n).map(() => event(org));
  let done = 0;
  const results = await pool(sent, 4, async (one, i) => {
    const result = await insist(stack, one, { at: i % lanes });
    await disturb(++done);
    return result;
  });
  const last = Math.max(...results.map(({ seq }) => seq));
  const reached = (s) => s.cursor !== null && Number(s.cursor.split('-')[1]) >= last;
  await waitFor(() => `everybody to reach ${last}: ${subscribers.map((s) => s.cursor)}`, () => subscribers.every(reached), { ms: 60_000 });
  await Promise.all(subscribers.map((s) => s.stop()));
  account(results, subscribers);
  stack.integrity();
  assert.equal(stack.query(`SELECT count(*) n FROM events WHERE org_id = '${org}'`)[0].n, n, 'each is stored once');
  return { results, subscribers };
}

function account(results, subscribers) {
  const stored = new Map(results.map(({ seq, eventId }) => [seq, eventId]));
  for (const s of subscribers) {
    const seqs = s.events.map(({ seq }) => seq);
    assert.ok(seqs.every((seq, i) => i === 0 || seq > seqs[i - 1]), `rising, each once: ${seqs}`);
    for (const { seq, eventId } of s.events) assert.equal(stored.get(seq), eventId);
    const got = new Set(seqs);
    const told = (seq) => s.gaps.some(({ from, to }) => seq > from && seq <= to);
    assert.deepEqual([...stored.keys()].filter((seq) => !got.has(seq) && !told(seq)), [], 'missing, and not told');
  }
}
