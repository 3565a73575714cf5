// The stream: one answer whose body goes on, a line of JSON for each event.
import { RealtimeError } from './error.js';
import { type Ask, attempt, type Deadline, deadline, type Link, send } from './request.js';
import { type Line, readLine } from './wire.js';

/** The longest event is 64 KiB; what is beyond this is no line of ours. */
const longestLine = 1 << 20;

/** The stream's first line didn't come in time, or it can't be had here at all: polls will do. */
export class StreamBlocked extends Error {}

export interface StreamHooks {
  /** The first line is there, so many milliseconds after the request. */
  onOpen(ms: number): void;
  /** The lines of one chunk. False: that is enough, end the stream. */
  onLines(lines: Line[]): boolean;
}

/** Resolves when the stream has ended, by the server or by `onLines`. `probeMs` is the time for its first line. */
export async function stream(link: Link, ask: Ask, probeMs: number, hooks: StreamHooks): Promise<void> {
  const limit = deadline(link.env, ask.signal);
  const began = link.env.now();
  let open = false;
  limit.set(probeMs);
  try {
    const response = await send(link, 'stream', ask, limit);
    if (!response.body) throw new StreamBlocked();
    await readLines(response.body, limit, (lines) => {
      limit.set(link.settings.streamSilenceMs);
      if (!open) hooks.onOpen(link.env.now() - began);
      open = true;
      return hooks.onLines(lines);
    });
  } catch (error) {
    throw open ? error : blocked(error);
  } finally {
    limit.done();
  }
}

/** What, before the first line, speaks against the stream and not against the server. */
function blocked(error: unknown): unknown {
  const { code, status = 0 } = error instanceof RealtimeError ? error : { code: '' };
  return code === 'timeout' || [404, 405, 406, 501].includes(status) ? new StreamBlocked() : error;
}

async function readLines(
  body: ReadableStream<Uint8Array>,
  limit: Deadline,
  onLines: (lines: Line[]) => boolean,
): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await attempt(limit, () => reader.read());
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      if (rest.length > longestLine)
        throw new RealtimeError('bad_response', 'a line without end. Check the proxy.');
      const lines = parts.filter((part) => part.trim()).map(readLine);
      if (lines.length && !onLines(lines)) return;
    }
  } finally {
    // Not awaited: a connection that is gone may never confirm it.
    reader.cancel().catch(() => {});
  }
}
