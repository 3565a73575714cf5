// The leader's loop: what is asked, when again, and what each failure leads to.
import { expect, test } from 'vitest';
import type { RealtimeOptions } from '../src/index.js';
import { open } from './fake/browser.js';
import { body, type Intercept, problem, type Seen, Server } from './fake/server.js';

async function one(
  options: Partial<RealtimeOptions> = {},
  { intercept, seed = 1 }: { intercept?: Intercept; seed?: number } = {},
) {
  const { world, browser, server } = await open((w) => new Server(w), { seed });
  if (intercept) server.intercept = intercept;
  const tab = browser.tab(options);
  return { world, browser, server, tab, live: () => browser.live() };
}

/** Times between the end of one subscribe and the start of the next. */
function pauses(requests: Seen[]): number[] {
  return requests.slice(1).map((r, i) => Math.round(r.at - (requests[i]?.endedAt ?? Number.NaN)));
}

const fails = (
  code: number | 'network' | 'hang',
  headers: Record<string, string> = {},
  reason = 'x',
): Intercept => (typeof code === 'number' ? () => problem(code, reason, headers) : () => code);

// ---- what is asked ----

test('the URL never changes, and the cursor travels in Last-Event-ID', async () => {
  const { world, server, live, tab } = await one();
  await live();
  for (let i = 0; i < 5; i++) {
    server.publish(1);
    await world.advance(2_000);
  }
  const polls = server.requests.filter((r) => r.path === 'subscribe');
  expect(new Set(polls.map((r) => r.url))).toEqual(new Set(['https://api.example/tasks/realtime/subscribe']));
  expect(polls.map((r) => r.cursor)).toEqual(['log1-0', 'log1-1', 'log1-2', 'log1-3', 'log1-4', 'log1-5']);
  const { headers } = polls[0] as Seen;
  expect(headers).toEqual({
    accept: 'application/json',
    authorization: 'Bearer token-1',
    'last-event-id': 'log1-0',
    'x-client-id': tab.id,
  });
});

test('a base path of the url is kept, and a relative one is left to the page', async () => {
  for (const [url, expected] of [
    ['https://api.example/v1/', 'https://api.example/v1/tasks/realtime/cursor'],
    ['/api', '/api/tasks/realtime/cursor'],
    [undefined, '/tasks/realtime/cursor'],
    [new URL('https://api.example/'), 'https://api.example/tasks/realtime/cursor'],
  ] as const) {
    const asked: string[] = [];
    const { world } = await one({
      url: url as string,
      fetch: (to) => {
        asked.push(String(to));
        return new Promise(() => {});
      },
    });
    await world.advance(100);
    expect(asked).toEqual([expected]);
  }
});

test('a domain that no server can have is refused with advice', async () => {
  await expect(one({ domain: 'Tasks!' })).rejects.toThrow(/bellhop\.conf/);
});

test('without a cursor the head is asked for, and the tab is told to fetch once', async () => {
  const { server, tab, live } = await one();
  server.publish(3);
  await live();
  expect(server.requests.map((r) => r.path).slice(0, 2)).toEqual(['cursor', 'subscribe?wait=0']);
  expect(tab.gaps).toEqual(['first']);
  expect(tab.snapshot().cursor).toBe('log1-3');
});

test("with the page's own cursor nothing falls between its rows and the first poll", async () => {
  const { world, server, tab, live } = await one({ initialCursor: () => 'log1-1' });
  server.publish(3);
  await live();
  await world.until('the two since', () => tab.events.length === 2);
  expect(tab.gaps).toEqual([]);
  expect(server.requests[0]?.path).toBe('subscribe?wait=0');
});

test('the first answer comes at once: no tab seems disconnected for a whole idle poll', async () => {
  const { world, tab } = await one();
  expect(await world.until('live', () => tab.snapshot().isConnected)).toBeLessThan(200);
});

// ---- pauses ----

test('a full poll is followed at once by the next, a run of idle polls is 25 s each', async () => {
  const { world, server, live } = await one();
  await live();
  await world.advance(110_000);
  const polls = server.requests.filter((r) => r.path === 'subscribe');
  expect(polls.length).toBe(5);
  expect(Math.max(...pauses(polls))).toBeLessThanOrEqual(1);
  for (const { at, endedAt } of polls.slice(0, -1)) expect((endedAt as number) - at).toBeGreaterThan(25_000);
});

test('idleBackoffMs: the pause after an idle poll that someone may want', async () => {
  const { world, server, live } = await one({ idleBackoffMs: [2_000, 5_000] });
  await live();
  await world.advance(150_000);
  const gaps = pauses(server.requests.filter((r) => r.path === 'subscribe'));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_000);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
});

test('an empty answer that comes too fast is followed by 2 to 5 s, and told of', async () => {
  const { world, server, tab, live } = await one({
    telemetry: { send: (e) => void tab.told.push(e) },
    telemetrySampleRate: 1,
  });
  await live();
  server.intercept = (r) =>
    r.path === 'subscribe' ? body({ events: [], cursor: server.head, gap: null }) : undefined;
  server.publish(1);
  await world.advance(60_000);
  const fast = server.requests.filter((r) => r.path === 'subscribe').slice(2);
  expect(Math.min(...pauses(fast))).toBeGreaterThanOrEqual(2_000);
  expect(Math.max(...pauses(fast))).toBeLessThanOrEqual(5_000);
  expect(fast.length).toBeLessThanOrEqual(30);
  expect(tab.told.some((e) => e.eventType === 'fast_empty' && Number(e.data.elapsedMs) < 1_500)).toBe(true);
});

test('a slow network is no fast empty answer, nor the other way round: the round trip counts', async () => {
  const { world, server, live, tab } = await one({
    telemetry: { send: (e) => void tab.told.push(e) },
    telemetrySampleRate: 1,
  });
  server.latency = [900, 950];
  await live();
  server.intercept = (r) =>
    r.path === 'subscribe' ? body({ events: [], cursor: server.head, gap: null }) : undefined;
  server.publish(1);
  await world.advance(30_000);
  expect(tab.told.filter((e) => e.eventType === 'fast_empty').length).toBeGreaterThan(2);
});

test('hidden, with no other tab visible: 3 to 5 s between polls; a visible follower ends that', async () => {
  const { world, browser, server, tab, live } = await one({ preferVisibleLeader: false });
  await live();
  tab.page.show(false);
  for (let i = 0; i < 10; i++) {
    server.publish(1);
    await world.advance(6_000);
  }
  const hidden = pauses(server.requests.filter((r) => r.path === 'subscribe').slice(1));
  expect(Math.min(...hidden)).toBeGreaterThanOrEqual(3_000);
  expect(Math.max(...hidden)).toBeLessThanOrEqual(5_000);
  const other = browser.tab({ preferVisibleLeader: false });
  await browser.live();
  const from = server.requests.length;
  for (let i = 0; i < 5; i++) {
    server.publish(1);
    await world.until('promptly', () => other.seqs().at(-1) === server.log.length, 200);
  }
  expect(Math.max(...pauses(server.requests.slice(from).filter((r) => r.tab === tab.id)))).toBeLessThan(2);
});

test('coming back to a hidden tab cuts its pause short', async () => {
  const { world, server, tab, live } = await one({ hiddenBackoffMs: [30_000, 30_000] });
  await live();
  tab.page.show(false);
  server.publish(1);
  await world.advance(5_000);
  expect(server.waiting()).toBe(0);
  tab.page.show(true);
  await world.advance(100);
  expect(server.waiting()).toBe(1);
});

// ---- failures ----

test('network errors: 2, 4, 8, … 60 s, each ± 20 %, back to nothing after a success', async () => {
  const { world, server, tab } = await one({}, { intercept: fails('network') });
  await world.advance(400_000);
  const gaps = pauses(server.requests);
  const expected = [2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1_000);
  expect(gaps.length).toBeGreaterThan(7);
  gaps.slice(0, 8).forEach((gap, i) => {
    expect(gap).toBeGreaterThanOrEqual((expected[i] as number) * 0.8 - 1);
    expect(gap).toBeLessThanOrEqual((expected[i] as number) * 1.2 + 1);
  });
  expect(new Set(gaps.map((gap) => gap % 1_000)).size).toBeGreaterThan(3);
  expect(tab.snapshot()).toMatchObject({ status: 'offline', attempt: server.requests.length });
  server.intercept = () => undefined;
  await world.until('live again', () => tab.snapshot().status === 'live', 80_000);
  expect(tab.snapshot().attempt).toBe(0);
  const since = server.requests.length;
  server.intercept = fails('network');
  server.publish(1);
  await world.advance(8_000);
  expect(pauses(server.requests.slice(since - 1))[0]).toBeLessThan(2_500);
});

test('the wait grows with the round trip', async () => {
  const { world, server, live } = await one();
  server.latency = [2_000, 2_000];
  await live();
  const from = server.requests.length - 1;
  server.intercept = fails('network');
  server.publish(1);
  await world.advance(60_000);
  const failed = server.requests.slice(from);
  expect(pauses(failed)[0]).toBeGreaterThan(6_000);
  expect(pauses(failed)[0]).toBeLessThan(10_000);
});

test.each([
  ['429', problem(429, 'rate_limited', { 'retry-after': '17' })],
  ['503', problem(503, 'broker_down', { 'retry-after': '17' })],
  [
    'overloaded in a 200',
    body({ events: [], cursor: 'log1-0', gap: null, overloaded: true }, { 'retry-after': '17' }),
  ],
])('%s: Retry-After is obeyed, also where somebody pokes', async (_name, answer) => {
  let times = 1;
  const { world, server, tab } = await one(
    { initialCursor: 'log1-0' },
    { intercept: () => (times-- > 0 ? answer : undefined) },
  );
  await world.until('degraded', () => tab.snapshot().status === 'degraded');
  expect(tab.codes()).toEqual(['overloaded']);
  expect(tab.snapshot().nextRetryAt).toBeGreaterThan(world.wall() + 16_000);
  await world.advance(5_000);
  tab.client.poke();
  tab.page.show(true);
  await world.advance(5_000);
  expect(server.requests.length).toBe(1);
  await world.until('live', () => tab.snapshot().status === 'live', 10_000);
  expect(pauses(server.requests)[0]).toBeGreaterThanOrEqual(16_900);
});

test('a Retry-After shorter than the backoff does not shorten it', async () => {
  const { world, server } = await one({}, { intercept: fails(503, { 'retry-after': '0' }) });
  await world.advance(40_000);
  expect(server.requests.length).toBeLessThan(6);
});

test('no server keeps a client away for longer than ten minutes', async () => {
  const { world, server, tab } = await one({}, { intercept: fails(503, { 'retry-after': '999999' }) });
  await world.advance(10_000);
  server.intercept = () => undefined;
  await world.until('live', () => tab.snapshot().status === 'live', 600_000);
});

test('the server stops: a pause that it names, and no failure', async () => {
  const { world, server, tab, live } = await one();
  await live();
  let times = 1;
  server.intercept = (r) =>
    r.path === 'subscribe' && times-- > 0
      ? body({ events: [], cursor: server.head, gap: null }, { 'retry-after': '4' })
      : undefined;
  server.publish(1);
  await world.advance(100);
  expect(tab.snapshot()).toMatchObject({ status: 'live', attempt: 0 });
  await world.advance(3_700);
  expect(server.waiting()).toBe(0);
  await world.advance(500);
  expect(server.waiting()).toBe(1);
  expect(tab.errors).toEqual([]);
});

test('a half-open connection is given up after the poll and its grace, and tried again', async () => {
  const { world, server, tab, live } = await one();
  await live();
  server.intercept = (r) => (r.path === 'subscribe' ? 'hang' : undefined);
  server.publish(1);
  await world.advance(34_000);
  expect(tab.errors).toEqual([]);
  await world.advance(2_000);
  expect(tab.codes()).toEqual(['timeout']);
  expect(tab.snapshot().status).toBe('degraded');
  server.intercept = () => undefined;
  await world.until('live', () => tab.snapshot().status === 'live', 5_000);
});

test('a body that is not of the protocol is a failure like any other', async () => {
  const bodies = ['<html>', '[]', '{}', '{"events":[],"cursor":7}', 'null', '{"events":{},"cursor":"?"}'];
  for (const text of bodies) {
    const { world, tab, server } = await one(
      { initialCursor: 'log1-0' },
      { intercept: () => new Response(text) },
    );
    await world.advance(10_000);
    expect(tab.codes()[0], text).toBe('bad_response');
    expect(server.requests.length, text).toBeLessThan(5);
    server.intercept = () => undefined;
    await world.until('live', () => tab.snapshot().status === 'live', 30_000);
  }
});

test('an event that is none is dropped and reported, the others arrive', async () => {
  const { world, server, tab, live } = await one();
  await live();
  const good = { eventId: 'a', eventType: 'T', timestamp: 1, orgId: 'o', payload: 1, seq: 2 };
  const bad = [
    { ...good, eventId: 'b', seq: '2' },
    { ...good, eventId: 7 },
    null,
    'x',
    { ...good, propertyId: 3 },
    { ...good, payload: undefined },
  ];
  let times = 1;
  server.intercept = (r) =>
    r.path === 'subscribe' && times-- > 0
      ? body({ events: [...bad, good], cursor: 'log1-2', gap: null })
      : undefined;
  server.publish(2);
  await world.advance(100);
  expect(tab.events.map((e) => e.eventId)).toEqual(['a']);
  expect(tab.codes()).toEqual(['invalid_event']);
  expect(tab.snapshot().status).toBe('live');
});

test('410 stops it for good', async () => {
  const { world, server, tab } = await one({}, { intercept: fails(410, {}, 'gone') });
  await world.advance(1_000);
  tab.client.poke();
  tab.page.show(true);
  await world.advance(600_000);
  expect(server.requests.length).toBe(1);
  expect(tab.snapshot()).toMatchObject({ status: 'disabled', nextRetryAt: null });
  expect(tab.codes()).toEqual(['gone']);
});

test('domain_disabled: shown as disabled, asked for now and then, and back by itself', async () => {
  const { world, server, tab, live } = await one();
  await live();
  server.intercept = fails(503, { 'retry-after': '30' }, 'domain_disabled');
  server.publish(1);
  await world.advance(200_000);
  expect(tab.snapshot()).toMatchObject({ status: 'disabled', isConnected: false });
  expect(tab.codes()[0]).toBe('disabled');
  expect(server.requests.filter((r) => r.at > 1_000).length).toBeLessThan(9);
  server.intercept = () => undefined;
  await world.until('back', () => tab.snapshot().status === 'live', 80_000);
});

test('403 ends it until somebody pokes', async () => {
  const { world, server, tab } = await one({}, { intercept: fails(403, {}, 'forbidden') });
  await world.advance(300_000);
  expect(server.requests.length).toBe(1);
  expect(tab.snapshot().status).toBe('unauthorized');
  expect(tab.codes()).toEqual(['forbidden']);
  server.intercept = () => undefined;
  tab.client.poke();
  await world.until('live', () => tab.snapshot().status === 'live');
});

// ---- tokens ----

test('no token: no request, never an empty header', async () => {
  const { world, browser, server, tab } = await one({});
  browser.token = null;
  await world.advance(20_000);
  expect(server.requests.every((r) => r.token === 'token-1')).toBe(true);
  for (const token of ['', 'with space', 'with\nnewline', 'ümlaut']) {
    const other = await one({ getToken: () => token });
    await other.world.advance(20_000);
    expect(other.server.requests).toEqual([]);
    expect(other.tab.snapshot().status).toBe('paused');
  }
  browser.token = 'token-2';
  await world.until('live', () => tab.snapshot().status === 'live', 40_000);
});

test('the token is asked for before every request', async () => {
  let n = 0;
  const { world, server, live } = await one({ getToken: async () => `token-${++n}` });
  await live();
  server.publish(1);
  await world.advance(1_000);
  const tokens = server.requests.map((r) => r.token);
  expect(new Set(tokens).size).toBe(tokens.length - 1); // head and first poll are of one step
});

test('401: one new token, then on from the same cursor, and nothing is shown', async () => {
  const renewed: string[] = [];
  const { world, browser, server, tab, live } = await one({
    onUnauthorized: async (failed) => {
      renewed.push(failed);
      browser.token = 'token-2';
      return true;
    },
  });
  await live();
  server.publish(2);
  await world.advance(100);
  server.intercept = (r) => (r.token === 'token-1' ? problem(401, 'token_expired') : undefined);
  server.publish(1);
  await world.until('renewed', () => server.subscribes().at(-1)?.token === 'token-2', 1_000);
  expect(renewed).toEqual(['token-1']);
  expect(
    server
      .subscribes()
      .slice(-2)
      .map((r) => [r.token, r.cursor]),
  ).toEqual([
    ['token-1', 'log1-3'],
    ['token-2', 'log1-3'],
  ]);
  await world.advance(1_000);
  expect(tab.seqs()).toEqual([1, 2, 3]);
  expect(tab.statuses).toEqual(['connecting', 'live']);
  expect(tab.errors).toEqual([]);
});

test('401 with nobody to renew: another token is noticed, the refused one is not sent again', async () => {
  const { world, browser, server, tab, live } = await one();
  await live();
  server.intercept = (r) => (r.token === 'token-1' ? problem(401, 'token_invalid') : undefined);
  server.publish(1);
  await world.advance(60_000);
  expect(tab.snapshot()).toMatchObject({ status: 'unauthorized', isConnected: false });
  expect(server.requests.filter((r) => r.token === 'token-1').length).toBeLessThanOrEqual(4);
  const sent = server.requests.length;
  await world.advance(60_000);
  expect(server.requests.length).toBe(sent);
  browser.token = 'token-2';
  tab.client.poke();
  await world.until('the event', () => tab.events.length === 1, 1_000);
});

test('a renewal that fails is tried again, ever more seldom; one that hangs does not hang the tab', async () => {
  let asked = 0;
  const { world, server, tab } = await one(
    {
      onUnauthorized: () => {
        asked++;
        return asked === 3 ? new Promise(() => {}) : Promise.resolve(false);
      },
    },
    { intercept: fails(401, {}, 'token_invalid') },
  );
  await world.advance(120_000);
  expect(tab.snapshot().status).toBe('unauthorized');
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(9);
  expect(server.requests.length).toBe(1);
});

test('tokens that are refused one after the other do not make a storm', async () => {
  let n = 1;
  const { world, server } = await one(
    {
      getToken: () => `token-${n}`,
      onUnauthorized: async () => {
        n++;
        return true;
      },
    },
    { intercept: fails(401, {}, 'token_invalid') },
  );
  await world.advance(60_000);
  expect(server.requests.length).toBeLessThan(9);
});

// ---- offline ----

test('offline: nothing is sent; after 5 s it is said; online again: said at once, asked within half a second', async () => {
  const { world, server, tab, live } = await one();
  await live();
  await world.advance(1_000);
  tab.page.connect(false);
  const cut = server.requests.length;
  await world.advance(4_900);
  expect(tab.snapshot().status).toBe('degraded');
  expect(server.waiting()).toBe(0);
  await world.advance(200);
  expect(tab.snapshot().status).toBe('offline');
  server.publish(3);
  await world.advance(600_000);
  expect(server.requests.length).toBe(cut);
  tab.page.connect(true);
  expect(tab.snapshot().status).toBe('connecting');
  expect(await world.until('asked', () => server.requests.length > cut)).toBeLessThanOrEqual(510);
  await world.until('all of it', () => tab.events.length === 3, 1_000);
});

test('lie-fi: the browser says online, nothing gets through: offline after 5 s of failures', async () => {
  const { world, server, tab, live } = await one();
  await live();
  server.intercept = fails('network');
  server.publish(1);
  await world.advance(1_000);
  expect(tab.snapshot().status).toBe('degraded');
  await world.advance(5_500);
  expect(tab.snapshot()).toMatchObject({ status: 'offline', isConnected: false });
});

test('poke: try again now', async () => {
  const { world, server, tab } = await one({}, { intercept: fails('network') });
  await world.advance(100_000);
  const before = server.requests.length;
  tab.client.poke();
  await world.advance(100);
  expect(server.requests.length).toBe(before + 1);
});

test('a listener that throws is reported, and neither stops the loop nor costs an event', async () => {
  const { world, server, tab, live } = await one();
  tab.client.on('events', () => {
    throw new Error('mine');
  });
  await live();
  server.publish(1);
  await world.advance(100);
  server.publish(1);
  await world.advance(100);
  expect(tab.seqs()).toEqual([1, 2]);
  expect(tab.codes()).toEqual(['handler', 'handler']);
  expect(tab.errors[0]?.cause).toEqual(new Error('mine'));
  expect(tab.snapshot()).toMatchObject({ status: 'live', cursor: 'log1-2' });
});

test('Retry-After: 0 with nothing, again and again, is no loop', async () => {
  const { world, server } = await one(
    {},
    {
      intercept: (r) => {
        if (!r.path.startsWith('subscribe')) return undefined;
        const answer = { events: [], cursor: 'log1-0', gap: null };
        return new Response(JSON.stringify(answer), { headers: { 'Retry-After': '0' } });
      },
    },
  );
  await world.advance(60_000);
  expect(server.subscribes().length).toBeLessThan(32);
});

test('the same answer again and again, out of some cache, is no loop, and its events come once', async () => {
  const { world, server, tab } = await one();
  await world.advance(100);
  server.publish(1);
  await world.advance(100);
  const event = { seq: 1, eventId: 'e-1', eventType: 'T', timestamp: 1, orgId: 'org-1', payload: 1 };
  server.intercept = (r) =>
    r.path.startsWith('subscribe') ? body({ events: [event], cursor: 'log1-1', gap: null }) : undefined;
  tab.page.fire('offline'); // a new start
  await world.advance(60_000);
  expect(server.subscribes().length).toBeLessThan(40);
  expect(tab.seqs()).toEqual([1]);
});
