// One org floods, and another's publishing hardly feels it. Measured side by
// side, by turns, and anew where the machine had something else to do. Which
// request goes into which transaction is counted in check_queue.c; bench/fair.mjs
// prints the figures for more cases.
import assert from 'node:assert/strict';
import { compare } from '../lib/flood.mjs';
import { Stack } from '../lib/stack.mjs';

const attempts = 5;
const stack = await Stack.forFile({ conf: { limits: { publisher_events_per_second: 5000, publisher_burst: 25000, org_events_per_second: 2000, org_burst: 20000 } } });

stack.test('one org floods: the other\'s latency stays within twice what it was', async (t) => {
  await compare(stack, { rounds: 1, n: 1, warm: 60 }); // spends the flood's burst
  let fine = false;
  for (let i = 0; i < attempts && !fine; i++) {
    const { alone, beside, refused } = await compare(stack, { rounds: 4, pause: 20 });
    const ms = (x) => `${x.toFixed(1)} ms`;
    t.diagnostic(`p50 ${ms(alone.p50)}, beside the flood ${ms(beside.p50)}; p99 ${ms(alone.p99)}, ${ms(beside.p99)}; ${refused} refused`);
    assert.ok(refused > 0, 'the flood is over its limit');
    fine = beside.p50 <= 2 * alone.p50 && beside.p99 <= 2 * alone.p99;
  }
  assert.ok(fine, `not once in ${attempts} times`);
}, { timeout: 120_000 });
