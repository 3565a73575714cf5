// The log under strain: two writers at once, held by another process, replaced.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { event, Stack } from '../lib/stack.mjs';
import { insist, storm } from '../lib/storm.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { pool, range, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ lanes: 2 });

stack.test('two worker processes append at once: everyone sees every seq, none before the one under it', async () => {
  const { results } = await storm(stack, { lanes: 2, disturb: () => {} });
  const seqs = results.map(({ seq }) => seq).sort((a, b) => a - b);
  assert.ok(seqs.every((seq, i) => seq === seqs[0] + i), 'no number is skipped');
});

// Holds the writer's lock until told to let go.
async function holdLock() {
  const holder = spawn('flock', ['-x', `${stack.log}.lock`, '-c', 'echo held; read -r line'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  const ended = new Promise((resolve) => holder.on('exit', resolve));
  return async () => {
    holder.stdin.end('\n');
    await ended;
  };
}

stack.test('while another process holds the lock, a publish waits or is refused with 503; then all is well', async () => {
  const org = stack.org();
  const s = new Subscriber(stack, { org, cursor: await stack.cursor({ org }), patient: true }).start();
  await stack.waiters(1);
  const release = await holdLock();
  const held = Promise.resolve().then(() => new Promise((resolve) => setTimeout(resolve, 3000))).then(release);
  const sent = range(20).map(() => event(org));
  let refused = 0;
  const results = await pool(sent, 4, async (one) => {
    const first = await stack.publish(one);
    if (first.status === 200) return first.json.results[0];
    assert.deepEqual([first.status, first.json.code], [503, 'log_unavailable']);
    assert.ok(Number(first.headers['retry-after']) > 0, 'Retry-After');
    refused++;
    return insist(stack, one);
  });
  await held;
  assert.ok(results.every(({ seq }) => seq > 0), `${refused} were refused at first`);
  await waitFor('all of them', () => s.events.length === sent.length);
  await s.stop();
  assert.deepEqual(new Set(s.ids), new Set(sent.map(({ eventId }) => eventId)));
  stack.integrity();
});

stack.test('a subscribe goes on while the lock is held', async () => {
  const org = stack.org();
  const release = await holdLock();
  try {
    const res = await stack.poll({ org, wait: 0 });
    assert.equal(res.status, 200, res.text);
  } finally {
    await release();
  }
});

stack.test('a log that is replaced: who comes with an old cursor is told so', async () => {
  const org = stack.org();
  const [old] = await stack.store(event(org));
  const cursor = await stack.cursor({ org });
  // As an admin would: the workers rest, the files go, the workers start anew.
  for (const lane of [0, 1]) await stack.kill(`worker${lane}`, 'SIGTERM');
  for (const name of fs.readdirSync(stack.dir).filter((file) => /^log\.db(-wal|-shm)?$/.test(file))) {
    fs.renameSync(stack.file(name), stack.file(`old-${name}`));
  }
  for (const lane of [0, 1]) stack.spawn(`worker${lane}`);
  await stack.healthy();

  const gap = await waitFor('the gap', async () => {
    const res = await stack.poll({ org, cursor, wait: 0 });
    assert.equal(res.status, 200, res.text);
    assert.deepEqual(res.json.events, []);
    return res.json.gap && res.json;
  });
  assert.deepEqual(gap.gap, { reason: 'log' });
  assert.notEqual(gap.cursor.split('-')[0], cursor.split('-')[0]);

  const s = new Subscriber(stack, { org, cursor: gap.cursor }).start();
  await stack.waiters(1);
  const [first] = await stack.store(event(org));
  assert.ok(first.seq <= old.seq, 'a log of its own, counted from the start');
  await waitFor('an event of the new log', () => s.events.length === 1);
  await s.stop();
  assert.deepEqual(s.gaps, []);
});
