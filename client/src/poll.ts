// The requests that are answered as a whole: poll, page of history, head of the log.
import { type Ask, deadline, json, type Link, retryAfter, send } from './request.js';
import type { Cursor } from './types.js';
import { type Answer, readAnswer, readCursor } from './wire.js';

export interface Polled extends Answer {
  retryAfterMs: number | undefined;
}

/** Waits as long as the server holds a poll; `now`: an answer at once. */
export async function poll(link: Link, ask: Ask, now: boolean, rtt: number): Promise<Polled> {
  const { longPollTimeoutMs, requestGraceMs } = link.settings;
  const ms = (now ? 0 : longPollTimeoutMs) + requestGraceMs + 2 * rtt;
  return await exchange(link, now ? 'subscribe?wait=0' : 'subscribe', ask, ms, read);
}

export async function history(link: Link, ask: Ask): Promise<Polled> {
  return await exchange(link, 'history', ask, 2 * link.settings.requestGraceMs, read);
}

export async function head(link: Link, ask: Ask): Promise<Cursor> {
  return await exchange(link, 'cursor', ask, link.settings.requestGraceMs, readCursor);
}

function read(body: unknown, response: Response): Polled {
  return { ...readAnswer(body), retryAfterMs: retryAfter(response) };
}

async function exchange<T>(
  link: Link,
  path: string,
  ask: Ask,
  ms: number,
  reader: (body: unknown, response: Response) => T,
): Promise<T> {
  const limit = deadline(link.env, ask.signal);
  limit.set(ms);
  try {
    const response = await send(link, path, ask, limit);
    return reader(await json(response, limit), response);
  } finally {
    limit.done();
  }
}
