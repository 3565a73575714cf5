// The built package and the real server, when things go wrong.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { build, event, Stack } from '../../../tests/lib/stack.mjs';
import { range, waitFor } from '../../../tests/lib/wait.mjs';
import { beaconSink } from '../../dist/index.js';
import { Browser } from './tabs.mjs';

const stack = await Stack.forFile({
  conf: { broker: { buffer_events: 20, buffer_seconds: 2 }, telemetry: { address_requests_per_minute: 0 } },
});
const ctl = (...args) => execFileSync(path.join(build, 'bellhopctl'), ['-c', stack.lanes[0].conf, ...args]);

// Two tabs that are live; a failure shows what they heard.
async function pair(t, options = {}, who = {}) {
  const org = stack.org();
  const browser = new Browser(stack, { org, ...who });
  t.after(() => browser.close());
  const tabs = [browser.tab(options), browser.tab(options)];
  await live(tabs);
  const ids = [];
  const publish = async (n) => {
    for (const _ of range(n)) {
      const e = event(org);
      await stack.store(e);
      ids.push(e.eventId);
    }
  };
  const all = () =>
    waitFor(
      () =>
        `${ids.length} events in both; ${tabs.map((tab) => `${tab.events.length} ${tab.client.getSnapshot().status} ${tab.errors.slice(-2)}`)}`,
      () => tabs.every((tab) => tab.events.length >= ids.length),
      { ms: 20_000 },
    );
  const exact = () => {
    for (const tab of tabs) assert.deepEqual(tab.ids(), ids);
  };
  return { org, browser, tabs, ids, publish, all, exact };
}

const live = (tabs) =>
  waitFor(
    () => `live; ${tabs.map((tab) => tab.client.getSnapshot().status)}`,
    () => tabs.every((tab) => tab.client.getSnapshot().status === 'live'),
  );
const leaderOf = (tabs) => tabs.find((tab) => tab.client.getSnapshot().isLeader);

for (const transport of ['poll', 'auto']) {
  stack.test(
    `${transport}: the broker is killed and restarted in the middle of it: each event once, in order, without a gap`,
    async (t) => {
      const { tabs, publish, all, exact } = await pair(t, { transport });
      await publish(3);
      await all();
      await stack.kill('broker');
      await publish(4);
      stack.spawn('broker');
      await stack.healthy();
      await publish(3);
      await all();
      exact();
      for (const tab of tabs) assert.deepEqual(tab.gaps, ['first']);
    },
  );

  stack.test(`${transport}: the leader leaves in the middle of a burst: the other has it all`, async (t) => {
    const { tabs, publish, ids } = await pair(t, { transport });
    const leader = leaderOf(tabs);
    const other = tabs.find((tab) => tab !== leader);
    await publish(5);
    const closed = leader.client.close();
    await publish(15);
    await closed;
    await waitFor(
      () => `all in the other; ${other.events.length}`,
      () => other.events.length >= ids.length,
    );
    assert.deepEqual(other.ids(), ids);
    assert.equal(other.client.getSnapshot().isLeader, true);
    assert.deepEqual(other.gaps, ['first']);
  });

  stack.test(`${transport}: memory no longer reaches back: the log is read`, async (t) => {
    const { tabs, publish, all, exact } = await pair(t, { transport });
    await publish(2);
    await all();
    for (const tab of tabs) tab.client.stop();
    await publish(60);
    for (const tab of tabs) tab.client.start();
    await all();
    exact();
    for (const tab of tabs) assert.deepEqual(tab.gaps, ['first']);
  });
}

stack.test('tokens that live two seconds: a new one each time, and no failure is seen', async (t) => {
  const { tabs, publish, all, exact } = await pair(t, { onUnauthorized: async () => true }, { ttl: 2 });
  const began = Date.now();
  while (Date.now() - began < 5_000) {
    await publish(1);
    await all();
  }
  exact();
  for (const tab of tabs) {
    assert.deepEqual(tab.errors.map(String), []);
    assert.deepEqual(tab.gaps, ['first']);
  }
});

stack.test('the operator switches the domain off and on', async (t) => {
  const { tabs, publish, all, exact } = await pair(t);
  ctl('domain', 'disable', 'tasks');
  await waitFor(
    () => `disabled; ${tabs.map((tab) => tab.client.getSnapshot().status)}`,
    () => tabs.every((tab) => tab.client.getSnapshot().status === 'disabled'),
  );
  ctl('domain', 'enable', 'tasks');
  await waitFor('publishing again', async () => (await stack.publish(event(stack.org()))).status === 200);
  await publish(2);
  for (const tab of tabs) tab.client.poke();
  await waitFor(
    () => `back; ${tabs.map((tab) => tab.client.getSnapshot().status)}`,
    () => tabs.every((tab) => tab.events.length === 2),
    { ms: 40_000 },
  );
  await all();
  exact();
});

stack.test('telemetry arrives as the server keeps it', async (t) => {
  const sink = beaconSink(`${stack.url}/telemetry/client`);
  const { tabs } = await pair(t, { telemetry: sink, telemetrySampleRate: 1 });
  sink.flush();
  const leader = leaderOf(tabs);
  const rows = () =>
    stack.query(
      "SELECT event_type, domain, tab_id, data FROM telemetry WHERE event_type = 'leader_acquired' ORDER BY id DESC LIMIT 1",
    );
  await waitFor('a row', () => rows().length === 1);
  const [row] = rows();
  assert.equal(row.domain, 'tasks');
  assert.deepEqual(JSON.parse(row.data), { how: 'acquired' });
  assert.ok(row.tab_id.length > 10 && leader);
  sink.close();
});
