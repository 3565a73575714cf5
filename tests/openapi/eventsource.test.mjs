// An EventSource that isn't ours (the npm package, which parses and reconnects by
// the HTML standard) against a broker that is killed again and again.
import assert from 'node:assert/strict';
import { EventSource } from 'eventsource';
import { event, Stack } from '../lib/stack.mjs';
import { insist } from '../lib/storm.mjs';
import { range, sleep, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ conf: { broker: { heartbeat_seconds: 1 } } });

// With the token where an EventSource of a browser can't put one.
function open(org) {
  const seen = [];
  const gaps = [];
  let opened = 0;
  const source = new EventSource(`${stack.url}/tasks/realtime/stream`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${stack.token({ org })}` } }),
  });
  source.onopen = () => opened++;
  source.onmessage = ({ data, lastEventId }) => {
    const json = JSON.parse(data);
    assert.equal(Number(lastEventId.split('-')[1]), json.seq);
    seen.push(json);
  };
  source.addEventListener('gap', ({ data }) => gaps.push(JSON.parse(data)));
  return { seen, gaps, opened: () => opened, close: () => source.close(), source };
}

stack.test('an EventSource goes on through a broker that is killed, and loses nothing', async () => {
  const org = stack.org();
  const sources = range(3).map(() => open(org));
  await waitFor('the streams', () => sources.every((s) => s.opened() === 1));
  const sent = [];
  let over = false;
  const publishing = (async () => {
    while (!over) {
      const one = event(org);
      await insist(stack, one);
      sent.push(one.eventId);
      await sleep(10);
    }
  })();
  for (let round = 2; round <= 4; round++) {
    await sleep(100);
    await stack.restart('broker');
    await stack.healthy();
    await waitFor('all to be back', () => sources.every((s) => s.opened() >= round), { ms: 30_000, every: 50 });
  }
  over = true;
  await publishing;
  await waitFor(() => `${sent.length} events at each; there are ${sources.map((s) => s.seen.length)}`, () => sources.every((s) => s.seen.length >= sent.length));
  for (const s of sources) {
    assert.deepEqual(s.seen.map(({ eventId }) => eventId), sent, 'each once, in order');
    assert.deepEqual(s.gaps, []);
    s.close();
  }
  await stack.waiters(0);
}, { timeout: 120_000 });

stack.test('it waits for as long as retry says when the broker leaves, and doesn\'t come back to a stream that is closed', async () => {
  const s = open(stack.org());
  await waitFor('the stream', () => s.opened() === 1);
  await stack.kill('broker', 'SIGTERM');
  await waitFor('its end', () => s.source.readyState === EventSource.CONNECTING);
  stack.spawn('broker');
  await stack.healthy();
  await waitFor('it to be back', () => s.opened() === 2, { ms: 30_000, every: 50 });
  s.close();
  await stack.waiters(0);
});
