// The package as it was built, against the real server.
import assert from 'node:assert/strict';
import { event, Stack } from '../../../tests/lib/stack.mjs';
import { range, waitFor } from '../../../tests/lib/wait.mjs';
import { Browser } from './tabs.mjs';

const stack = await Stack.forFile();

for (const transport of ['poll', 'stream', 'auto']) {
  stack.test(
    `${transport}: one tab leads, the other follows, both get every event once and in order`,
    async (t) => {
      const org = stack.org();
      const browser = new Browser(stack, { org });
      t.after(() => browser.close());
      const [a, b] = [browser.tab({ transport }), browser.tab({ transport })];
      await waitFor('both live', () => [a, b].every(({ client }) => client.getSnapshot().status === 'live'));
      assert.deepEqual([a, b].map(({ client }) => client.getSnapshot().role).sort(), ['follower', 'leader']);
      const stored = [];
      for (const _ of range(20)) {
        const e = event(org);
        await stack.store(e);
        stored.push(e.eventId);
      }
      await waitFor(
        () => `20 events in both; ${a.events.length}, ${b.events.length}`,
        () => a.events.length >= 20 && b.events.length >= 20,
      );
      assert.deepEqual(a.ids(), stored);
      assert.deepEqual(b.ids(), stored);
      assert.deepEqual([a.errors, b.errors, a.gaps, b.gaps], [[], [], ['first'], ['first']]);
      const leader = [a, b].find(({ client }) => client.getSnapshot().isLeader);
      assert.equal(leader.client.getSnapshot().transport, transport === 'poll' ? 'poll' : 'stream');
    },
  );
}
