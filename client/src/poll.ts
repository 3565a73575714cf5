// The requests that are answered as a whole: poll, page of history, head of the log.
import { type Ask, attempt, deadline, type Link, retryAfter, send } from './request.js';
import type { Cursor } from './types.js';
import { type Answer, parse, readAnswer, readCursor } from './wire.js';

export interface Polled extends Answer {
  retryAfterMs: number | undefined;
}

/** Waits as long as the server holds a poll; `now`: an answer at once. */
export function poll(link: Link, ask: Ask, now: boolean, rtt: number): Promise<Polled> {
  const held = now ? 0 : link.settings.longPollTimeoutMs;
  return exchange(link, now ? 'subscribe?wait=0' : 'subscribe', ask, held + 2 * rtt, read);
}

export function history(link: Link, ask: Ask): Promise<Polled> {
  return exchange(link, 'history', ask, 0, read);
}

export function head(link: Link, ask: Ask): Promise<Cursor> {
  return exchange(link, 'cursor', ask, 0, readCursor);
}

function read(body: Record<string, unknown>, response: Response): Polled {
  return { ...readAnswer(body), retryAfterMs: retryAfter(response) };
}

async function exchange<T>(
  link: Link,
  path: string,
  ask: Ask,
  heldMs: number,
  reader: (body: Record<string, unknown>, response: Response) => T,
): Promise<T> {
  const limit = deadline(link.env, ask.signal);
  limit.set(heldMs + link.settings.requestGraceMs);
  try {
    const response = await send(link, path, ask, limit);
    return reader(parse(await attempt(limit, () => response.text())), response);
  } finally {
    limit.done();
  }
}
