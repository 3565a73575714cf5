// The stream, and when polls do instead.
import { expect, test } from 'vitest';
import type { RealtimeOptions } from '../src/index.js';
import { open } from './fake/browser.js';
import { problem, Server } from './fake/server.js';

async function one(options: Partial<RealtimeOptions> = {}, before: (server: Server) => void = () => {}) {
  const { world, browser, server } = await open((w) => new Server(w));
  before(server);
  const tab = browser.tab({ transport: 'auto', ...options });
  return { world, browser, server, tab, streams: () => server.requests.filter((r) => r.path === 'stream') };
}

test('auto: a stream, asked for as JSON lines, from the cursor, with the token', async () => {
  const { world, browser, server, tab, streams } = await one();
  await browser.live();
  server.publish(3);
  await world.until('all', () => tab.events.length === 3, 500);
  server.publish(2);
  await world.until('all', () => tab.events.length === 5, 500);
  expect(streams().length).toBe(1);
  expect(streams()[0]?.headers).toMatchObject({
    accept: 'application/x-ndjson',
    authorization: 'Bearer token-1',
    'last-event-id': 'log1-0',
    'x-client-id': tab.id,
  });
  expect(tab.snapshot()).toMatchObject({ status: 'live', transport: 'stream', cursor: 'log1-5' });
  expect(tab.seqs()).toEqual([1, 2, 3, 4, 5]);
});

test('the events of one chunk are one batch', async () => {
  const { world, browser, server, tab } = await one();
  await browser.live();
  const batches: number[] = [];
  tab.client.on('events', ({ events }) => batches.push(events.length));
  const { log } = server;
  server.publish(0);
  for (let i = 1; i <= 20; i++) log.push({ seq: i, eventId: `e${i}`, payload: 1 });
  server.endStreams(); // it comes back, and what has been missed is sent in one go
  await world.advance(3_000);
  expect(tab.events.length).toBe(20);
  expect(batches.length).toBeLessThanOrEqual(20);
});

test('auto: a proxy that holds the stream back: after 3 s polls, without a failure, and the stream again after 10 min', async () => {
  const { world, browser, server, tab, streams } = await one({}, (s) => {
    s.buffering = true;
  });
  const took = await world.until('live', () => tab.snapshot().status === 'live');
  expect(took).toBeGreaterThanOrEqual(3_000);
  expect(took).toBeLessThan(3_200);
  expect(tab.snapshot().transport).toBe('poll');
  expect(tab.errors).toEqual([]);
  expect(tab.statuses).toEqual(['connecting', 'live']);
  server.publish(1);
  await world.until('by poll', () => tab.events.length === 1, 500);
  expect(server.waiting()).toBe(1);
  server.buffering = false;
  await world.until('the stream again', () => tab.snapshot().transport === 'stream', 700_000);
  expect(streams().length).toBe(2);
  await browser.live();
});

test('a slow round trip gives the first line more time', async () => {
  const { world, tab } = await one({}, (s) => {
    s.latency = [1_800, 1_900];
  });
  await world.until('live', () => tab.snapshot().status === 'live', 30_000);
  expect(tab.snapshot().transport).toBe('stream');
});

test.each([404, 405, 406, 501])('auto: %i in place of a stream: polls', async (status) => {
  const { world, server, tab, streams } = await one({}, (s) => {
    s.intercept = (r) => (r.path === 'stream' ? problem(status, 'x') : undefined);
  });
  await world.until('live', () => tab.snapshot().status === 'live', 1_000);
  await world.advance(60_000);
  expect(tab.snapshot().transport).toBe('poll');
  expect(streams().length).toBe(1);
  expect(server.waiting()).toBe(1);
});

test("transport 'poll' never asks for a stream", async () => {
  const { world, browser, streams } = await one({ transport: 'poll' });
  await browser.live();
  await world.advance(60_000);
  expect(streams()).toEqual([]);
});

test("transport 'stream' insists, and says what is wrong", async () => {
  const { world, server, tab, streams } = await one({ transport: 'stream' }, (s) => {
    s.buffering = true;
  });
  await world.advance(30_000);
  expect(tab.codes()[0]).toBe('timeout');
  expect(tab.errors[0]?.message).toMatch(/'auto' or 'poll'/);
  expect(streams().length).toBeGreaterThan(1);
  expect(server.requests.some((r) => r.path.startsWith('subscribe'))).toBe(false);
});

test('a stream that falls silent is dead: auto polls', async () => {
  const { world, browser, server, tab } = await one();
  await browser.live();
  server.buffering = true;
  await world.advance(30_000);
  expect(tab.snapshot().transport).toBe('stream');
  server.publish(1);
  await world.until('by poll', () => tab.events.length === 1, 20_000);
  expect(tab.snapshot().transport).toBe('poll');
});

test('the server ends a stream at its time: the next follows at once, from the last cursor', async () => {
  const { world, browser, server, tab, streams } = await one({}, (s) => {
    s.streamMaxMs = 60_000;
  });
  await browser.live();
  server.publish(2);
  await world.advance(61_000);
  expect(streams().map((r) => r.cursor)).toEqual(['log1-0', 'log1-2']);
  expect((streams()[1]?.at ?? 0) - (streams()[0]?.endedAt ?? 0)).toBeLessThan(20);
  expect(tab.statuses).toEqual(['connecting', 'live']);
});

test('a stream that is cut off: back after the first backoff, nothing lost', async () => {
  const { world, browser, server, tab } = await one();
  await browser.live();
  server.cutStreams();
  await world.advance(100);
  expect(tab.codes()).toEqual(['network']);
  server.publish(3);
  await world.until('all', () => tab.events.length === 3, 3_000);
});

test('streams that do not live long, three in a row: polls', async () => {
  const { world, tab, streams, server } = await one({}, (s) => {
    s.streamMaxMs = 200;
  });
  await world.advance(30_000);
  expect(streams().length).toBe(3);
  expect(tab.snapshot()).toMatchObject({ status: 'live', transport: 'poll' });
  expect(server.waiting()).toBe(1);
});

test('overloaded: its pause is obeyed', async () => {
  const { world, browser, server, tab, streams } = await one();
  await browser.live();
  server.endStreams({ overloaded: { retryAfterMs: 9_000 }, cursor: 'log1-0' });
  await world.advance(8_900);
  expect(streams().length).toBe(1);
  expect(tab.snapshot().status).toBe('degraded');
  expect(tab.codes()).toEqual(['overloaded']);
  await browser.live();
  expect(streams().length).toBe(2);
});

test('the server stops: its pause is obeyed, and is no failure', async () => {
  const { world, browser, server, tab, streams } = await one();
  await browser.live();
  server.endStreams({ end: { retryAfterMs: 4_000 }, cursor: 'log1-0' });
  await world.advance(3_900);
  expect(streams().length).toBe(1);
  await world.advance(200);
  expect(streams().length).toBe(2);
  expect(tab.errors).toEqual([]);
});

test('the token ends: a new one, and on from the same cursor', async () => {
  const { world, browser, server, tab, streams } = await one({
    onUnauthorized: async () => {
      browser.token = 'token-2';
      return true;
    },
  });
  await browser.live();
  server.publish(2);
  await world.advance(100);
  server.endStreams({ end: { code: 'token_expired' }, cursor: 'log1-2' });
  server.publish(1);
  await world.until('the third', () => tab.events.length === 3, 1_000);
  expect(streams().map((r) => [r.token, r.cursor])).toEqual([
    ['token-1', 'log1-0'],
    ['token-2', 'log1-2'],
  ]);
  expect(tab.errors).toEqual([]);
});

test.each([
  ['domain_disabled', 'disabled', 'disabled'],
  ['forbidden', 'unauthorized', 'forbidden'],
  ['superseded', 'degraded', 'http'],
])('ended with %s: %s', async (code, status, error) => {
  const { world, browser, server, tab } = await one();
  await browser.live();
  server.endStreams({ end: { code }, cursor: 'log1-0' });
  await world.advance(500);
  expect(tab.snapshot().status).toBe(status);
  expect(tab.codes()).toEqual([error]);
});

test('a slow reader is told of an evicted gap: the log is read, then streamed on', async () => {
  const { world, browser, server, tab, streams } = await one();
  await browser.live();
  server.publish(2);
  await world.advance(100);
  server.buffering = true; // sent, and not received
  server.publish(5);
  server.buffering = false;
  server.inMemoryFrom = 8;
  server.endStreams({ gap: { reason: 'evicted' }, cursor: 'log1-7' });
  await world.until('all', () => tab.events.length === 7, 2_000);
  expect(tab.seqs()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(tab.sources.at(-1)).toBe('catchup');
  expect(tab.gaps).toEqual(['first']);
  await world.until('a stream again', () => streams().length === 2, 2_000);
  server.publish(1);
  await world.until('and on', () => tab.events.length === 8, 1_000);
});

test('an expired gap within a stream is told, and the stream goes on', async () => {
  const { world, browser, server, tab, streams } = await one({ initialCursor: 'log1-1' }, (s) => {
    s.publish(5);
    s.inLogFrom = 4;
    s.inMemoryFrom = 4;
  });
  await browser.live();
  await world.until('told', () => tab.gaps.length === 1, 1_000);
  expect(tab.gaps).toEqual(['expired']);
  server.publish(1);
  await world.until('on', () => tab.events.length === 1, 1_000);
  expect(tab.snapshot().cursor).toBe('log1-6');
  expect(streams().length).toBe(1);
});

test('lines that are none, or without end, are a failure and no crash', async () => {
  for (const text of ['<html>\n', '{"cursor":3}\n', '[]\n', `{"cursor":"${'x'.repeat(1 << 21)}`]) {
    let times = 1;
    const { world, tab } = await one({ initialCursor: 'log1-0' }, (s) => {
      s.intercept = (r) => (r.path === 'stream' && times-- > 0 ? new Response(text) : undefined);
    });
    await world.advance(100);
    expect(tab.codes(), text.slice(0, 20)).toEqual(['bad_response']);
    await world.until('live', () => tab.snapshot().status === 'live', 5_000);
  }
});

test('a character that is cut between two chunks is still one', async () => {
  const bytes = new TextEncoder().encode(
    '{"event":{"eventId":"e","eventType":"T","timestamp":1,"orgId":"o","payload":"\u00e9\u{1f6ce}","seq":1},"cursor":"log1-1"}\n',
  );
  let times = 1;
  const { world, tab } = await one({ initialCursor: 'log1-0' }, (s) => {
    s.intercept = (r) => {
      if (r.path !== 'stream' || times-- <= 0) return undefined;
      return new Response(
        new ReadableStream({
          start(control) {
            for (const byte of bytes) control.enqueue(Uint8Array.of(byte));
          },
        }),
      );
    };
  });
  await world.advance(1_000);
  expect(tab.events.map((e) => e.payload)).toEqual(['\u00e9\u{1f6ce}']);
});

test('streams that end at once, and are to come back at once, are no loop', async () => {
  const { world, server } = await one({ transport: 'stream' }, (s) => {
    const lines = ['{"cursor":"log1-0"}', '{"end":{"retryAfterMs":0},"cursor":"log1-0"}', ''];
    s.intercept = (r) => (r.path === 'stream' ? new Response(lines.join('\n')) : undefined);
  });
  await world.advance(60_000);
  expect(server.subscribes().length).toBeLessThan(20);
});
