// One org floods and never pauses, and another's publishing hardly feels it: with
// rate limits and with none. The flood is stored as fast as the other's share of the
// writer permits; what has no room in the queue is refused. Measured side by side, by turns, and anew where the machine had
// something else to do. Which request goes into which transaction is counted in
// check_queue.c; bench/fair.mjs prints the figures for more cases.
import assert from 'node:assert/strict';
import { compare } from '../lib/flood.mjs';
import { Stack } from '../lib/stack.mjs';

const attempts = 5;
const cases = {
  'with limits': { publisher_events_per_second: 5000, publisher_burst: 25000, org_events_per_second: 2000, org_burst: 20000 },
  'without limits': { publisher_events_per_second: 0, org_events_per_second: 0 },
};
const stack = await Stack.forFile({ conf: { limits: cases['with limits'] } });

async function measure(t, on, width) {
  const { alone, beside, ratio, batches, refused } = await compare(on, { rounds: 7, width, warm: 2 });
  const ms = (x) => `${x.toFixed(1)} ms`;
  t.diagnostic(`p50 ${ms(alone.p50)}, beside the flood ${ms(beside.p50)}; p99 ${ms(alone.p99)}, ${ms(beside.p99)}; `
    + `ratios ${ratio.p50.toFixed(2)}, ${ratio.p99.toFixed(2)}; ${batches} batches stored, ${refused} refused`);
  assert.ok(batches > 0, 'the flood is not starved either');
  return ratio.p50 <= 2 && ratio.p99 <= 2;
}

// 16: more connections than the worker has threads.
for (const [name, limits] of Object.entries(cases))
  for (const width of [6, 16])
    stack.test(`one org floods ${name} over ${width} connections: the other's p99 stays within twice what it was`, async (t) => {
      const limited = name !== 'without limits';
      const on = limited ? stack : await Stack.start({ conf: { limits } });
      let fine = false;
      await compare(on, { rounds: 1, n: 1, warm: 60 }); // spends what may come at once
      for (let i = 0; i < attempts && !fine; i++) fine = await measure(t, on, width);
      if (on !== stack) await on.stop();
      assert.ok(fine, `not once in ${attempts} times`);
    }, { timeout: 180_000 });
