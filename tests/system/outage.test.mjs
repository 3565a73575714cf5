// Without the broker: what still works, and that nothing is lost by it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { build, event, Stack } from '../lib/stack.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ lanes: 2 });

stack.test('publish stores, subscribe answers from the log at once, health says 503; then all is well', async () => {
  const org = stack.org();
  const s = new Subscriber(stack, { org, cursor: await stack.cursor({ org }) });
  await stack.kill('broker');

  const one = event(org);
  const [result] = await stack.store(one);
  assert.deepEqual([result.status, result.woken], ['stored', null]);
  const begun = Date.now();
  const res = await s.poll();
  assert.deepEqual(s.ids, [one.eventId]);
  assert.ok(Number(res.headers['retry-after']) >= 0, 'Retry-After');
  const empty = await s.poll();
  assert.deepEqual([empty.status, empty.json.events], [200, []]);
  assert.ok('retry-after' in empty.headers);
  assert.ok(Date.now() - begun < 15_000, 'long before idle polls would have ended');

  const health = await stack.request('/healthz');
  assert.equal(health.status, 503, health.text);
  assert.equal((await stack.request('/healthz?live')).status, 200);

  const two = event(org);
  await stack.store(two);
  stack.spawn('broker');
  await stack.healthy();
  await s.poll();
  assert.deepEqual(s.ids, [one.eventId, two.eventId]);
  s.start();
  await stack.waiters(1);
  const [woke] = await stack.store(event(org));
  assert.equal(woke.woken, 1);
  await waitFor('the third event', () => s.events.length === 3);
  await s.stop();
  assert.deepEqual(s.gaps, []);
});

stack.test('SIGTERM of the broker answers every waiter', async () => {
  const polls = [0, 1, 2, 3, 4, 5].map((i) => stack.poll({ org: stack.org(), sub: `u-${i}` }));
  await stack.waiters(6);
  const ended = await stack.kill('broker', 'SIGTERM');
  assert.deepEqual(ended, { code: 0, signal: null });
  for (const res of await Promise.all(polls)) {
    assert.deepEqual([res.status, res.json.events, res.json.gap], [200, [], null]);
    const after = Number(res.headers['retry-after']);
    assert.ok(after >= 0 && after <= 5, `Retry-After ${after}`);
  }
  stack.spawn('broker');
  await stack.healthy();
});

// Why nobody can connect; EPROTOTYPE: somebody listens, for packets.
const whyNot = (socket) => new Promise((resolve) => net.connect(socket).on('error', (error) => resolve(error.code)));

stack.test('a broker that is started while the older one leaves keeps its socket', async () => {
  const org = stack.org();
  const cursor = await stack.cursor({ org });
  const socket = stack.file('broker.sock');
  const stuck = stack.poll({ org, cursor, at: 1 }).catch(() => {}); // it may be cut short
  await stack.waiters(1);

  // It has more to say than the socket takes, to a web server that stands still:
  // the broker gives it two seconds at its end.
  const web = stack.children.get('web1').process;
  web.kill('SIGSTOP');
  try {
    await stack.store(Array.from({ length: 12 }, () => event(org, { payload: 'x'.repeat(60_000) })));
    const leaves = stack.kill('broker', 'SIGTERM');
    await waitFor('it to listen no more', async () => (await whyNot(socket)) !== 'EPROTOTYPE');
    stack.spawn('broker');
    assert.equal((await leaves).code, 0);
  } finally {
    web.kill('SIGCONT');
  }
  await stack.healthy();
  assert.ok(fs.existsSync(socket));
  await stuck;
});

stack.test('bellhopd --daemon is ready when it leaves, its pid file too', async () => {
  const pidFile = stack.file('broker.pid');
  await stack.kill('broker', 'SIGTERM');
  const command = '"$0" -c "$1" -d -p "$2" && read -r pid <"$2" && echo "$pid"';
  const pid = Number(execFileSync('sh', ['-c', command, path.join(build, 'bellhopd'), stack.lanes[0].conf, pidFile]));
  process.kill(pid, 'SIGHUP');
  const [result] = await stack.store(event(stack.org()));
  assert.equal(result.woken, 0);
  process.kill(pid, 'SIGTERM');
  await waitFor('its pid file to go', () => !fs.existsSync(pidFile));
  stack.spawn('broker');
  await stack.healthy();
});
