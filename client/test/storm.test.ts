// Whatever happens, in whatever order: every tab that lives gets every event once and in order.
import { expect, test } from 'vitest';
import type { RealtimeOptions } from '../src/index.js';
import { open, type Tab, type Without } from './fake/browser.js';
import { Server } from './fake/server.js';

const seeds = Number(process.env.SEEDS ?? 25);

interface Kind {
  name: string;
  without: Without;
  options: Partial<RealtimeOptions>;
  freezes: boolean;
}

const kinds: Kind[] = [
  { name: 'Web Locks, polls', without: {}, options: { transport: 'poll' }, freezes: true },
  { name: 'Web Locks, streams', without: {}, options: { transport: 'auto' }, freezes: true },
  { name: 'lease, polls', without: { locks: true }, options: { transport: 'poll' }, freezes: true },
  { name: 'lease, streams', without: { locks: true }, options: { transport: 'stream' }, freezes: true },
  { name: 'Web Locks without storage', without: { storage: true }, options: {}, freezes: true },
  { name: 'each tab alone', without: { channel: true }, options: { transport: 'auto' }, freezes: false },
];

// A failure on the way may turn a missed event into a gap that is told of: half of the storms have none.
for (const kind of kinds) {
  test(`${kind.name}: ${seeds} storms of close, crash, freeze, sleep, deafness and failures`, async () => {
    for (let seed = 1; seed <= seeds; seed++) await storm(kind, seed, seed % 2 === 0);
  }, 120_000);
}

async function storm({ without, options, freezes }: Kind, seed: number, calm: boolean): Promise<void> {
  const { world, browser, server } = await open((w) => new Server(w), { seed, without, options, tabs: 3 });
  const pick = <T>(list: T[]): T => list[Math.floor(world.random() * list.length)] as T;
  const alive = () => browser.tabs.filter((tab) => !tab.dead && tab.client.getSnapshot().status !== 'closed');
  const begins = new Map<Tab, number>();
  const note = (tab: Tab) => {
    const { cursor } = tab.snapshot();
    if (cursor && !begins.has(tab)) begins.set(tab, Number(cursor.split('-')[1]));
  };
  for (const tab of alive()) note(tab);
  const said: string[] = [];
  let failed = false;

  const acts: Record<string, () => void> = {
    publish: () => void server.publish(1 + Math.floor(world.random() * 5)),
    burst: () => void server.publish(30),
    close: () => {
      if (alive().length > 1) void pick(alive()).client.close();
    },
    crash: () => {
      if (alive().length > 1) pick(alive()).crash();
    },
    open: () => {
      // The rows of a new page are those of the server's head: so is its cursor.
      if (alive().length < 4) note(browser.tab({ ...options, initialCursor: server.head }));
    },
    freeze: () => {
      const awake = alive().filter((tab) => !tab.frozen);
      if (freezes && awake.length > 1) pick(awake).freeze();
    },
    thaw: () => pick(alive()).thaw(),
    hide: () => {
      const tab = pick(alive());
      tab.page.show(!tab.page.shown);
    },
    deaf: () => {
      const tab = pick(alive());
      tab.deaf = !tab.deaf;
    },
    bfcache: () => {
      const tab = pick(alive().filter((t) => !t.frozen)) ?? pick(alive());
      tab.page.fire('pagehide', { persisted: true });
      world.setTimer(
        { frozen: false, dead: false },
        () => tab.page.fire('pageshow', { persisted: true }),
        500,
      );
    },
    restartClient: () => {
      const tab = pick(alive());
      tab.client.stop();
      tab.client.start();
    },
    fail: () => {
      failed = !calm;
      if (calm) return;
      server.intercept = () => (world.random() < 0.4 ? 'network' : undefined);
    },
    heal: () => {
      server.intercept = () => undefined;
    },
    cut: () => server.cutStreams(),
    evict: () => {
      server.inMemoryFrom = server.log.length + 1;
    },
    sleep: () => world.sleep(40_000),
  };

  for (let step = 0; step < 60; step++) {
    const name = pick(Object.keys(acts));
    said.push(`${Math.round(world.time)} ${name}`);
    acts[name]?.();
    await world.advance(world.between(0, 3_000));
    for (const tab of alive()) note(tab);
  }

  // And then quiet: everything must come right by itself.
  server.intercept = () => undefined;
  for (const tab of alive()) {
    tab.thaw();
    tab.deaf = false;
    if (!tab.page.shown) tab.page.show(true);
  }
  await world.advance(2_000);
  server.publish(1);
  const last = server.log.length;
  const done = () => alive().every((tab) => tab.seqs().at(-1) === last);
  try {
    await world.until('the last event in all tabs', done, 120_000);
    if (!without.channel) await world.until('one leader', () => browser.leaders().length === 1);
    for (const [tab, begin] of begins) {
      if (!alive().includes(tab)) continue;
      // Told of a gap, a tab fetches anew: what it was told of is not lost. Without failures there is none.
      if (!failed) expect(tab.gaps, `gaps of ${tab.id}`).not.toContain('evicted');
      const told = (seq: number) => tab.holes.some(([after, to]) => seq > after && seq <= to);
      const expected = server.log.map(({ seq }) => seq).filter((seq) => seq > begin && !told(seq));
      expect(tab.seqs(), `${tab.id} from ${begin}`).toEqual(expected);
    }
  } catch (error) {
    const states = alive().map(
      (t) => `${t.id} ${t.snapshot().role} ${t.snapshot().status} ${t.snapshot().cursor}`,
    );
    throw new Error(`seed ${seed}: ${(error as Error).message}\n${states.join('\n')}\n${said.join(', ')}`);
  }
  await Promise.all(alive().map((tab) => Promise.race([tab.client.close(), world.advance(1_000)])));
}
