// The log's WAL while all runs: it is emptied, whoever reads. A checkpoint is due every
// 16 MiB, and readers that come and go put it off a little.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { event, Stack } from '../lib/stack.mjs';
import { range } from '../lib/wait.mjs';

const stack = await Stack.forFile();

async function page(token, query) {
  const res = await stack.request(`/tasks/realtime/history?${new URLSearchParams(query)}`, { token });
  assert.equal(res.status, 200, res.text);
  return res.json;
}

stack.test('readers that never pause don\'t keep the log\'s WAL from being emptied', async (t) => {
  const org = stack.org();
  const token = stack.token({ org });
  let over = false;
  const readers = range(6).map(async () => {
    for (let cursor; !over;) {
      const part = await page(token, { limit: 1000, ...(cursor && { cursor }) });
      cursor = part.more ? part.cursor : undefined;
    }
  });
  let most = 0;
  for (let i = 0; i < 200; i++) {
    await stack.store(range(250).map(() => event(org, { payload: 'x'.repeat(1000) })));
    most = Math.max(most, fs.statSync(`${stack.log}-wal`).size);
  }
  over = true;
  await Promise.all(readers);
  const all = fs.statSync(stack.log).size;
  t.diagnostic(`the WAL had ${most} bytes at most, the log has ${all}`);
  assert.ok(all > 50_000_000 && most < all / 2, `${most} of ${all}`);
}, { timeout: 300_000 });
