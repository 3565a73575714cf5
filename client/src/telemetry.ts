// What a client tells of itself: of few sessions, and of those everything.
import type { Settings } from './settings.js';
import type { RealtimeEnv, TelemetryEvent, TelemetrySink, TelemetryType } from './types.js';

export type Telemetry = (type: TelemetryType, data: TelemetryEvent['data']) => void;

/** One draw for as long as this tab has its seat: of a session everything is told, or nothing. */
export function createTelemetry(settings: Settings, env: RealtimeEnv, tabId: string): Telemetry {
  const { telemetry: sink, telemetrySampleRate: rate, domain } = settings;
  if (!sink || env.random() >= rate) return () => {};
  const sessionId = env.id();
  return (eventType, data) => {
    try {
      sink.send({ eventType, domain, sessionId, tabId, timestamp: env.wall(), data });
    } catch {
      // A sink that fails is no reason to lose events.
    }
  };
}

export interface BeaconOptions {
  /** Entries wait so long for others: 10,000. */
  flushMs?: number;
  /** And are sent when there are so many: 20, which is also the most that the server takes. */
  max?: number;
  fetch?: typeof fetch;
}

const mostEntries = 20;
const mostBytes = 4_096;

/** Sends to `POST /telemetry/client`: in batches, as plain text so that no preflight is needed, on unload by a beacon. */
export function beaconSink(
  url: string,
  options: BeaconOptions = {},
): TelemetrySink & { flush(): void; close(): void } {
  const { flushMs = 10_000, max = mostEntries } = options;
  const waiting: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const page = typeof document === 'undefined' ? null : globalThis;

  function post(body: string, leaving: boolean) {
    if (leaving && navigator.sendBeacon?.(url, body)) return;
    const request = { method: 'POST', body, keepalive: true, credentials: 'omit' } as const;
    // Nothing depends on it, so nothing is done about a failure.
    (options.fetch ?? fetch)(url, request).catch(() => {});
  }

  function flush(leaving = false) {
    clearTimeout(timer);
    timer = undefined;
    while (waiting.length) post(`[${nextBatch(waiting).join(',')}]`, leaving);
  }

  const onHide = () => flush(true);
  page?.addEventListener('pagehide', onHide);

  return {
    send({ data, ...entry }) {
      const text = JSON.stringify({ ...data, ...entry });
      if (new TextEncoder().encode(text).length > mostBytes - 2) return;
      waiting.push(text);
      if (waiting.length >= Math.min(max, mostEntries)) flush();
      else timer ??= setTimeout(() => flush(), flushMs);
    },
    flush: () => flush(),
    close() {
      flush();
      page?.removeEventListener('pagehide', onHide);
    },
  };
}

/** Takes from the front what one request may hold. */
function nextBatch(waiting: string[]): string[] {
  const encoder = new TextEncoder();
  let bytes = 2;
  let n = 0;
  for (const text of waiting.slice(0, mostEntries)) {
    bytes += encoder.encode(text).length + 1;
    if (bytes > mostBytes && n > 0) break;
    n++;
  }
  return waiting.splice(0, n);
}
