// One request: its headers, its time limit, and what a failure means.
import { RealtimeError, type RealtimeErrorCode } from './error.js';
import type { Settings } from './settings.js';
import type { Cursor, RealtimeEnv } from './types.js';
import { isRecord } from './wire.js';

/** Who asks, for the whole life of a tab. */
export interface Link {
  settings: Settings;
  env: RealtimeEnv;
  tabId: string;
}

export interface Ask {
  token: string;
  cursor: Cursor | null;
  propertyId: string | undefined;
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

/** The path's URL never changes while its filter doesn't, so that a browser keeps its preflight answer. */
export async function send(link: Link, path: string, ask: Ask, limit: Deadline): Promise<Response> {
  const { settings, tabId } = link;
  const headers: Record<string, string> = {
    Authorization: `Bearer ${ask.token}`,
    Accept: path === 'stream' ? 'application/x-ndjson' : 'application/json',
    'X-Client-Id': tabId,
  };
  if (ask.cursor) headers['Last-Event-ID'] = ask.cursor;
  const filter = ask.propertyId === undefined ? '' : `propertyId=${encodeURIComponent(ask.propertyId)}`;
  const url = settings.base + path + (filter && (path.includes('?') ? '&' : '?') + filter);
  const response = await attempt(limit, () =>
    (settings.fetch ?? fetch)(url, {
      headers,
      signal: limit.signal,
      cache: 'no-store',
      credentials: settings.credentials,
    }),
  );
  if (response.status !== 200) throw await refusal(response, limit);
  return response;
}

/** The body as JSON. */
export async function json(response: Response, limit: Deadline): Promise<unknown> {
  const text = await attempt(limit, () => response.text());
  try {
    return JSON.parse(text);
  } catch {
    throw new RealtimeError('bad_response', 'the answer is not JSON. Check `url`: is this the page itself?');
  }
}

/** What rejects in here is the network's fault, or that of the time. */
export async function attempt<T>(limit: Deadline, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw limit.expired()
      ? new RealtimeError('timeout', 'no answer in time. It is tried again.', { cause })
      : new RealtimeError('network', 'the server was not reached. It is tried again.', { cause });
  }
}

async function refusal(response: Response, limit: Deadline): Promise<RealtimeError> {
  let reason: string | undefined;
  try {
    const body = await json(response, limit);
    if (isRecord(body) && typeof body.code === 'string') reason = body.code;
  } catch {
    // A proxy's own page: the status says enough.
  }
  return refused(response.status, reason, retryAfter(response));
}

const meanings: Record<number, RealtimeErrorCode> = {
  401: 'unauthorized',
  403: 'forbidden',
  410: 'gone',
  429: 'overloaded',
  503: 'overloaded',
};

const advice: Partial<Record<RealtimeErrorCode, string>> = {
  unauthorized: 'the token was refused: log in again',
  forbidden: 'the token does not grant this org or property: choose another',
  gone: 'this endpoint is retired: update the page',
  overloaded: 'the server asks for a pause: it is tried again',
  disabled: 'realtime is switched off for this domain: it is tried again later',
};

export function refused(
  status: number,
  reason: string | undefined,
  retryAfterMs: number | undefined,
): RealtimeError {
  const code = reason === 'domain_disabled' ? 'disabled' : (meanings[status] ?? 'http');
  const text = advice[code] ?? 'an answer that was not expected: it is tried again';
  return new RealtimeError(code, `${text} (${status}${reason ? ` ${reason}` : ''}).`, {
    status,
    reason,
    retryAfterMs,
  });
}

/** No server keeps a client away for longer than ten minutes, whatever it says. */
const longestPause = 600_000;

export function bounded(ms: number | undefined): number | undefined {
  return ms !== undefined && ms >= 0 ? Math.min(ms, longestPause) : undefined;
}

/** Retry-After in milliseconds. A date counts from the server's own clock, never from this one's. */
export function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('Retry-After');
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return bounded(Number(value) * 1000);
  const until = Date.parse(value) - Date.parse(response.headers.get('Date') ?? '');
  return Number.isNaN(until) ? undefined : bounded(Math.max(0, until));
}
