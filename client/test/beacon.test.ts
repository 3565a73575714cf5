// How telemetry gets to the server.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { beaconSink, type TelemetryEvent } from '../src/index.js';

const entry = (data: TelemetryEvent['data'] = {}): TelemetryEvent => ({
  eventType: 'fast_empty',
  domain: 'tasks',
  sessionId: 's-1',
  tabId: 't-1',
  timestamp: 1,
  data,
});

const posts: Array<{ url: string; init: RequestInit; entries: Array<Record<string, unknown>> }> = [];
const fetched = vi.fn(async (url: unknown, init?: RequestInit) => {
  posts.push({ url: String(url), init: init as RequestInit, entries: JSON.parse(String(init?.body)) });
  return new Response(null, { status: 204 });
});

beforeEach(() => {
  posts.length = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('beaconSink: entries wait for each other, and go out together, as the server takes them', () => {
  const sink = beaconSink('/telemetry/client', { fetch: fetched as typeof fetch });
  sink.send(entry({ elapsedMs: 3 }));
  sink.send(entry({ elapsedMs: 4 }));
  expect(posts).toEqual([]);
  vi.advanceTimersByTime(10_000);
  expect(posts.length).toBe(1);
  expect(posts[0]?.entries).toEqual(
    [3, 4].map((elapsedMs) => ({
      eventType: 'fast_empty',
      domain: 'tasks',
      sessionId: 's-1',
      tabId: 't-1',
      timestamp: 1,
      elapsedMs,
    })),
  );
  expect(posts[0]?.init).toMatchObject({ method: 'POST', keepalive: true, credentials: 'omit' });
  expect(posts[0]?.init.headers).toBeUndefined(); // text/plain: no preflight
});

test('beaconSink: twenty at once, and never more than 4096 bytes in a request', () => {
  const sink = beaconSink('/t', { fetch: fetched as typeof fetch });
  for (let i = 0; i < 45; i++) sink.send(entry({ i }));
  sink.flush();
  expect(posts.map((p) => p.entries.length)).toEqual([20, 20, 5]);
  posts.length = 0;
  for (let i = 0; i < 19; i++) sink.send(entry({ text: 'é'.repeat(300) }));
  sink.flush();
  for (const { init } of posts)
    expect(new TextEncoder().encode(String(init.body)).length).toBeLessThanOrEqual(4_096);
  expect(posts.reduce((n, p) => n + p.entries.length, 0)).toBe(19);
  posts.length = 0;
  sink.send(entry({ text: 'x'.repeat(5_000) }));
  sink.flush();
  expect(posts).toEqual([]);
});

test('beaconSink: the data can not pass for another entry', () => {
  const sink = beaconSink('/t', { fetch: fetched as typeof fetch, max: 1 });
  sink.send(entry({ eventType: 'forged', tabId: 'forged' }));
  expect(posts[0]?.entries[0]).toMatchObject({ eventType: 'fast_empty', tabId: 't-1' });
});

test('beaconSink: on unload by a beacon, else by fetch; a failure is nobody’s concern', async () => {
  const page = new EventTarget();
  const beacons: string[] = [];
  let taken = true;
  vi.stubGlobal('document', {});
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  vi.stubGlobal('navigator', { sendBeacon: (_url: string, body: string) => beacons.push(body) > 0 && taken });
  const sink = beaconSink('/t', { fetch: (() => Promise.reject(new Error('offline'))) as typeof fetch });
  sink.send(entry());
  page.dispatchEvent(new Event('pagehide'));
  expect(beacons.length).toBe(1);
  taken = false;
  sink.send(entry());
  page.dispatchEvent(new Event('pagehide'));
  await vi.advanceTimersByTimeAsync(0);
  sink.close();
  page.dispatchEvent(new Event('pagehide'));
  expect(beacons.length).toBe(2);
  expect(vi.getTimerCount()).toBe(0);
});
