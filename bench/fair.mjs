#!/usr/bin/env node
// fair.mjs: what an org that floods does to another's publishing.
//
//   BELLHOP_BUILD=build node bench/fair.mjs [ROUNDS]
//
// Prints the other's latency alone and beside the flood, and their ratio: with
// the limits of the default configuration, and without any. Needs an idle machine.
import { compare } from '../tests/lib/flood.mjs';
import { Stack } from '../tests/lib/stack.mjs';

const rounds = Number(process.argv[2] ?? 10);
const off = { publisher_events_per_second: 0, org_events_per_second: 0 };
const ms = (x) => x.toFixed(2).padStart(8);

console.log('| limits | connections that flood | p50 alone ms | beside | ratio | p99 alone ms | beside | ratio | batches stored | refused |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
for (const [name, limits, width] of [['default', {}, 6], ['default', {}, 16], ['off', off, 1], ['off', off, 6], ['off', off, 16]]) {
  const stack = await Stack.start({ conf: { limits } });
  // The flood's burst is spent before anything is measured.
  if (name === 'default') await compare(stack, { rounds: 1, n: 1, width, warm: 60 });
  const { alone, beside, ratio, batches, refused } = await compare(stack, { rounds, width });
  const pair = (q) => `${ms(alone[q])} | ${ms(beside[q])} | ${ratio[q].toFixed(2)}`;
  console.log(`| ${name} | ${width} | ${pair('p50')} | ${pair('p99')} | ${batches} | ${refused} |`);
  await stack.stop();
}
