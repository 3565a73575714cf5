// One org floods, and another's publishing hardly feels it. A flood that waits a
// moment when it is told to wait is held against a quiet machine. One that never
// pauses is held against the same bytes sent to a path that nobody serves: they cost
// the web server and the processors as much, whatever Bellhop does about them.
// Measured by turns, and anew where the machine had something else to do. Which
// request goes into which transaction is counted in check_queue.c; bench/fair.mjs
// prints the figures for more cases, against a quiet machine all of them.
import assert from 'node:assert/strict';
import { compare } from '../lib/flood.mjs';
import { Stack } from '../lib/stack.mjs';

const attempts = 5;
const limited = { publisher_events_per_second: 5000, publisher_burst: 25000, org_events_per_second: 2000, org_burst: 20000 };
const unlimited = { publisher_events_per_second: 0, org_events_per_second: 0 };
const stack = await Stack.forFile({ conf: { limits: limited } });

async function measure(t, on, flood) {
  const { alone, beside, ratio, batches, refused } = await compare(on, { rounds: 5, warm: 2, ...flood });
  const ms = (x) => `${x.toFixed(1)} ms`;
  t.diagnostic(`p50 ${ms(alone.p50)}, beside the flood ${ms(beside.p50)}; p99 ${ms(alone.p99)}, ${ms(beside.p99)}; `
    + `ratios ${ratio.p50.toFixed(2)}, ${ratio.p99.toFixed(2)}; ${batches} batches stored, ${refused} refused`);
  assert.ok(batches > 0, 'the flood is not starved either');
  return ratio.p50 <= 2 && ratio.p99 <= 2;
}

// 16: more connections than the worker has threads.
for (const [name, limits, flood] of [
  ['with limits, pausing when it is refused', limited, { pause: 20 }],
  ['with limits, over 16 connections', limited, { elsewhere: true, width: 16 }],
  ['without limits, over 16 connections', unlimited, { elsewhere: true, width: 16 }],
])
  stack.test(`one org floods ${name}: the other's p99 stays within twice what it was`, async (t) => {
    const on = limits === limited ? stack : await Stack.start({ conf: { limits } });
    let fine = false;
    await compare(on, { rounds: 1, n: 1, warm: 60 }); // spends what may come at once
    for (let i = 0; i < attempts && !fine; i++) fine = await measure(t, on, flood);
    if (on !== stack) await on.stop();
    assert.ok(fine, `not once in ${attempts} times`);
  }, { timeout: 180_000 });
