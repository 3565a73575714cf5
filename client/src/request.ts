// One request: its headers, its time limit, and what a failure means.
import { RealtimeError, type RealtimeErrorCode } from './error.js';
import type { Settings } from './settings.js';
import type { Cursor, RealtimeEnv } from './types.js';
import { parse } from './wire.js';

/** Who asks, for the whole life of a tab. */
export interface Link {
  settings: Settings;
  env: RealtimeEnv;
  tabId: string;
  onError(error: RealtimeError): void;
}

export interface Ask {
  token: string;
  cursor: Cursor | null;
  signal: AbortSignal;
}

/** Aborts `signal` with its parent, or when its time is over. Call `done()` in any case. */
export interface Deadline {
  signal: AbortSignal;
  /** From now on so many milliseconds. */
  set(ms: number): void;
  expired(): boolean;
  done(): void;
}

// A fresh controller for each request: signals that live long and are combined
// by AbortSignal.any() in a loop hold on to memory.
export function deadline(env: RealtimeEnv, parent: AbortSignal): Deadline {
  const controller = new AbortController();
  let timer: unknown;
  let expired = false;
  const abort = () => controller.abort();
  parent.addEventListener('abort', abort);
  if (parent.aborted) abort();
  return {
    signal: controller.signal,
    expired: () => expired,
    set(ms) {
      env.clearTimeout(timer);
      timer = env.setTimeout(() => {
        expired = true;
        abort();
      }, ms);
    },
    done() {
      env.clearTimeout(timer);
      parent.removeEventListener('abort', abort);
    },
  };
}

/**
 * The URL of a path never changes, so that a browser keeps its preflight answer. There is no filter in it: one tab
 * asks for all, and each picks what it shows (the token's `properties` are what bounds it).
 */
export async function send(
  { settings, tabId }: Link,
  path: string,
  ask: Ask,
  limit: Deadline,
): Promise<Response> {
  const headers: Record<string, string> = {
    Authorization: `Bearer ${ask.token}`,
    Accept: path === 'stream' ? 'application/x-ndjson' : 'application/json',
    'X-Client-Id': tabId,
  };
  if (ask.cursor) headers['Last-Event-ID'] = ask.cursor;
  const response = await attempt(limit, () =>
    (settings.fetch ?? fetch)(settings.base + path, {
      headers,
      signal: limit.signal,
      cache: settings.cache,
      credentials: settings.credentials,
    }),
  );
  if (response.status !== 200) throw await refusal(response, limit);
  return response;
}

/** What rejects in here is the network's fault, or that of the time. */
export async function attempt<T>(limit: Deadline, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw limit.expired()
      ? new RealtimeError('timeout', 'no answer in time; retrying.', { cause })
      : new RealtimeError('network', 'no connection; retrying.', { cause });
  }
}

async function refusal(response: Response, limit: Deadline): Promise<RealtimeError> {
  let reason: unknown;
  try {
    reason = parse(await attempt(limit, () => response.text())).code;
  } catch {
    // A proxy's own page: the status says enough.
  }
  return refused(response.status, typeof reason === 'string' ? reason : '', retryAfter(response));
}

const meanings: Record<number, RealtimeErrorCode> = {
  401: 'unauthorized',
  403: 'forbidden',
  410: 'gone',
  429: 'overloaded',
  503: 'overloaded',
};

const advice: Partial<Record<RealtimeErrorCode, string>> = {
  unauthorized: 'log in again',
  forbidden: 'not granted by the token',
  gone: 'update the page',
};

export function refused(status: number, reason: string, retryAfterMs: number | undefined): RealtimeError {
  const code = reason === 'domain_disabled' ? 'disabled' : (meanings[status] ?? 'http');
  const text = `${status} ${reason}: ${advice[code] ?? 'retrying'}.`;
  return new RealtimeError(code, text, { status, reason, retryAfterMs });
}

export function overloaded(retryAfterMs: number | undefined): RealtimeError {
  return new RealtimeError('overloaded', 'the server is full; retrying.', { retryAfterMs });
}

/** No server keeps a client away for longer than ten minutes, whatever it says. */
const longestPause = 600_000;

export function bounded(ms: number | undefined): number | undefined {
  return ms !== undefined && ms >= 0 ? Math.min(ms, longestPause) : undefined;
}

/** Retry-After in milliseconds. It may be a date, but the clocks of server and client are never compared. */
export function retryAfter(response: Response): number | undefined {
  const seconds = response.headers.get('Retry-After');
  return bounded(seconds ? Number(seconds) * 1000 : undefined);
}
