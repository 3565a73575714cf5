// kill -9 of each part, twice in the middle of 500 publishes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Stack } from '../lib/stack.mjs';
import { storm } from '../lib/storm.mjs';
import { waitFor } from '../lib/wait.mjs';

const stack = await Stack.forFile();

// The broker, while somebody waits there: on a slow machine there are moments
// without, and a kill that nobody feels proves nothing.
async function restart(part) {
  if (part === 'broker') await waitFor('a poll to be parked', stopWithSomebody, { every: 1 });
  await stack.restart(part);
}

async function stopWithSomebody() {
  const pid = stack.pid('broker');
  process.kill(pid, 'SIGSTOP');
  await waitFor('it to stand still', () => /\) T /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8')), { every: 1 });
  if (stack.parked() > 0) return true;
  process.kill(pid, 'SIGCONT');
  return false;
}

for (const part of ['broker', 'worker0', 'web0']) {
  stack.test(`kill -9 of ${part}: nothing that was answered 200 is lost or comes twice`, async () => {
    let killing = Promise.resolve();
    let killed = 0;
    const { subscribers } = await storm(stack, {
      disturb: (done) => {
        if (done !== 120 && done !== 330) return undefined;
        killing = killing.then(() => restart(part)).then(() => killed++);
        return killing; // the other three publish on
      },
    });
    await killing;
    assert.equal(killed, 2);
    if (part !== 'worker0') assert.ok(subscribers.some((s) => s.errors.length > 0), 'the subscribers felt it');
    await stack.healthy();
  });
}
