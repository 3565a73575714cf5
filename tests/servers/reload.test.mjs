// A web server that is told to read its configuration again, as logrotate does
// it to Apache every night, while polls and streams wait behind it: others are
// served at once, and nobody loses or doubles an event.
import assert from 'node:assert/strict';
import { event, Stack } from '../lib/stack.mjs';
import { insist } from '../lib/storm.mjs';
import { openStream } from '../lib/stream.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { range, waitFor } from '../lib/wait.mjs';

// What each understands as a reload, and whether what waits goes on waiting.
// lighttpd cuts it off after its graceful-shutdown-timeout.
const servers = {
  'lighttpd': { signal: 'SIGUSR1', web: 'server.feature-flags += ( "server.graceful-shutdown-timeout" => 1 )' },
  'nginx': { signal: 'SIGHUP', keeps: true },
  'apache-proxy': { signal: 'SIGUSR1', keeps: true },
  'apache-fcgid': { signal: 'SIGUSR1', keeps: true },
};
const n = 20;

for (const [server, { signal, keeps, web }] of Object.entries(servers)) {
  const stack = await Stack.forFile({ server, web, conf: { broker: { heartbeat_seconds: 1 } } });
  stack.test(`${server}: a reload while polls and streams wait`, async (t) => {
    const org = stack.org();
    const token = stack.token({ org });
    const cursor = await stack.cursor({ org });
    const streams = await Promise.all(range(12).map(async () => {
      const view = { text: '', ended: false };
      const headers = { 'authorization': `Bearer ${token}`, 'last-event-id': cursor };
      const opened = await openStream(`${stack.url}/tasks/realtime/stream`, { headers, on: (part) => (view.text += part) });
      opened.ended.then(() => (view.ended = true));
      return Object.assign(view, { leave: opened.leave });
    }));
    const polls = range(4).map((i) => new Subscriber(stack, { org, sub: `u-${i}`, patient: true, cursor }).start());
    await stack.waiters(streams.length + polls.length);

    const sent = range(n).map(() => event(org));
    let slowest = 0;
    for (const [i, one] of sent.entries()) {
      if (i === 5) stack.children.get('web0').process.kill(signal);
      const begun = performance.now();
      await insist(stack, one);
      slowest = Math.max(slowest, performance.now() - begun);
    }
    t.diagnostic(`the slowest publish took ${Math.round(slowest)} ms`);
    await waitFor('all events at all polls', () => polls.every((s) => s.events.length >= n));
    await Promise.all(polls.map((s) => s.stop()));
    for (const s of polls) assert.deepEqual([s.ids, s.gaps], [sent.map(({ eventId }) => eventId), []]);
    if (keeps) {
      const got = ({ text }) => text.match(/^data: /gm)?.length === n;
      await waitFor('all events on all streams', () => streams.every(got));
      assert.ok(streams.every(({ ended }) => !ended), 'they were not cut off');
    }
    for (const each of streams) each.leave();
    await stack.waiters(0); // Apache waits for them when it is told to stop
  }, { timeout: 90_000 });
}
