// A stream that is read at 1 KB/s beside fast ones: it slows nobody, nothing is
// queued for it, neither by the broker nor by the web server, and in the end it
// knows exactly what it missed. Alone, since it measures memory: AddressSanitizer
// keeps what was freed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { event, Stack } from '../lib/stack.mjs';
import { EventSubscriber, StreamParser } from '../lib/stream.mjs';
import { range, waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile({ conf: { broker: { heartbeat_seconds: 60 } } });
const place = (cursor) => Number(cursor.split('-')[1]);

// Read by hand, KB by KB, as no HTTP client does. hurry() reads the rest at once.
function drip(org, perTick) {
  const url = new URL(stack.url);
  const socket = net.connect({ port: Number(url.port), host: url.hostname });
  const seen = [];
  const gaps = [];
  let bytes = 0;
  let before; // the position before a message
  let ended = false;
  const parser = new StreamParser({
    message({ type, data, id }) {
      if (type === 'gap') gaps.push({ ...JSON.parse(data), from: before, to: place(id) });
      else seen.push(JSON.parse(data).seq);
      before = place(id);
    },
    id: (id) => (before ??= place(id)),
  });
  // Chunks end anywhere: what is between them is taken out (RFC 9112, 7.1).
  let raw = '';
  let head = true;
  const take = (part) => {
    bytes += part.length;
    raw += part.toString('latin1');
    if (head && raw.includes('\r\n\r\n')) [head, raw] = [false, raw.slice(raw.indexOf('\r\n\r\n') + 4)];
    while (!head) {
      const size = /^([0-9a-f]+)\r\n/.exec(raw);
      const length = size && parseInt(size[1], 16);
      if (!size || raw.length < size[0].length + length + 2) return;
      parser.write(raw.slice(size[0].length, size[0].length + length));
      raw = raw.slice(size[0].length + length + 2);
    }
  };
  socket.write(`GET /tasks/realtime/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${stack.token({ org, sub: 'slow' })}\r\n\r\n`);
  socket.on('error', () => {});
  socket.on('close', () => (ended = true));
  socket.pause();
  const timer = setInterval(() => {
    const part = socket.read(Math.min(perTick, socket.readableLength || 1));
    if (part) take(part);
  }, 100);
  return {
    seen,
    gaps,
    bytes: () => bytes,
    ended: () => ended,
    hurry() {
      clearInterval(timer);
      socket.on('data', take);
      socket.resume();
    },
    end: () => socket.destroy(),
  };
}

stack.test('a reader of 1 KB/s slows nobody, and nothing grows for it', async (t) => {
  const org = stack.org();
  const fast = range(3).map((i) => new EventSubscriber(stack, { org, sub: `fast-${i}` }).start());
  await waitFor('the fast ones', () => fast.every((s) => s.opened === 1));
  const slow = drip(org, 100);
  await waitFor('the slow one', () => slow.bytes() > 0);
  await stack.waiters(4);
  const stored = [];
  // 400 KB at a time. Half of what the buffer holds: who gets it in time has no gap.
  const publish = async (batches) => {
    for (let i = 0; i < batches; i++) {
      stored.push(...await stack.store(range(100).map(() => event(org, { payload: { pad: 'x'.repeat(4000) } }))));
      await waitFor(() => `${stored.length} events at each of the fast ones; there are ${fast.map((s) => s.events.length)}`,
        () => fast.every((s) => s.events.length >= stored.length), { ms: 30_000 });
    }
  };
  // More than the sockets on the way hold, which may be many MB.
  await publish(30);
  const before = { broker: stack.memory('broker'), web: stack.memory('web0') };
  await publish(40);
  const after = { broker: stack.memory('broker'), web: stack.memory('web0') };
  t.diagnostic(`KiB before and after 16 MB that the slow one didn't take: ${JSON.stringify({ before, after })}`);
  for (const name of ['broker', 'web']) assert.ok(after[name] < before[name] + 4096, `${name} grew from ${before[name]} to ${after[name]} KiB`);
  // Nor does lighttpd put it into files.
  const folder = `/proc/${stack.pid('web0')}/fd`;
  const spilled = fs.readdirSync(folder).map((fd) => fs.statSync(`${folder}/${fd}`, { throwIfNoEntry: false })).reduce((n, stat) => n + (stat?.isFile() ? stat.size : 0), 0);
  assert.ok(spilled < 4_000_000, `the web server has ${spilled} bytes in files`);

  const seqs = stored.map(({ seq }) => seq);
  for (const s of fast) {
    assert.deepEqual(s.events.map(({ seq }) => seq), seqs, 'in order, each once');
    assert.deepEqual([s.gaps, s.opened], [[], 1]);
  }
  assert.ok(slow.seen.length < 1000 && !slow.ended(), 'the slow one is where it can be');

  slow.hurry();
  await waitFor(() => `the slow one to have the last; it has ${slow.seen.at(-1)}`, () => slow.seen.at(-1) === seqs.at(-1), { ms: 30_000 });
  assert.ok(slow.gaps.length > 0 && slow.gaps.every(({ reason }) => reason === 'evicted'), 'nobody kept it all for the slow one');
  assert.ok(slow.seen.every((seq, i) => i === 0 || seq > slow.seen[i - 1]), 'in order, each once');
  const told = (seq) => slow.gaps.some(({ from, to }) => seq > from && seq <= to);
  const got = new Set(slow.seen);
  assert.deepEqual(seqs.filter((seq) => got.has(seq) === told(seq)), [], 'each came, or is in a gap that was told, and not both');
  t.diagnostic(`the slow one got ${slow.seen.length} of ${seqs.length} events and was told of ${slow.gaps.length} gaps`);

  slow.end();
  await Promise.all(fast.map((s) => s.stop()));
  await stack.waiters(0);
}, { timeout: 240_000 });
