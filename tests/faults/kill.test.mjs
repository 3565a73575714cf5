// kill -9 of each part, twice in the middle of 500 publishes.
import assert from 'node:assert/strict';
import { Stack } from '../lib/stack.mjs';
import { storm } from '../lib/storm.mjs';

const stack = await Stack.forFile();

for (const part of ['broker', 'worker0', 'web0']) {
  stack.test(`kill -9 of ${part}: nothing that was answered 200 is lost or comes twice`, async () => {
    const killed = [];
    const { subscribers } = await storm(stack, {
      disturb: (done) => {
        if (done === 120 || done === 330) killed.push(stack.restart(part));
      },
    });
    assert.equal((await Promise.all(killed)).length, 2);
    if (part !== 'worker0') assert.ok(subscribers.some((s) => s.errors.length > 0), 'the subscribers felt it');
    await stack.healthy();
  });
}
