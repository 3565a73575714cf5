// The stream: one answer whose body goes on, a line of JSON for each event.
import { RealtimeError } from './error.js';
import { type Ask, attempt, type Deadline, deadline, type Link, send } from './request.js';
import { type Line, readLine } from './wire.js';

/** The longest event is 64 KiB; what is beyond this is no line of ours. */
const longestLine = 1 << 20;

/** The stream's first line didn't come in time, or it can't be had here at all: polls will do. */
export class StreamBlocked extends RealtimeError {
  constructor() {
    super('timeout', "the stream is held back on the way: use transport 'auto' or 'poll'.");
  }
}

/**
 * Resolves when the stream has ended, by the server or by `onLines`, which gets the lines of one chunk and says
 * whether to go on. `probeMs` is the time for the first of them, which `onOpen` precedes.
 */
export async function stream(
  link: Link,
  ask: Ask,
  probeMs: number,
  onLines: (lines: Line[]) => boolean,
  onOpen: () => void,
): Promise<void> {
  const limit = deadline(link.env, ask.signal);
  let open = false;
  limit.set(probeMs);
  try {
    const { body } = await send(link, 'stream', ask, limit);
    if (!body) throw new StreamBlocked();
    await readLines(body, limit, (lines) => {
      limit.set(link.settings.streamSilenceMs);
      if (!open) onOpen();
      open = true;
      return onLines(lines);
    });
  } catch (error) {
    const { code, status = 0 } = error as RealtimeError;
    // What, before the first line, speaks against the stream and not against the server.
    const held = code === 'timeout' || [404, 405, 406, 501].includes(status);
    throw held && !open ? new StreamBlocked() : error;
  } finally {
    limit.done();
  }
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
        throw new RealtimeError('bad_response', 'a line without end: check the proxy.');
      const lines = parts.filter((part) => part.trim()).map(readLine);
      if (lines.length && !onLines(lines)) return;
    }
  } finally {
    // Not awaited: a connection that is gone may never confirm it.
    reader.cancel().catch(() => {});
  }
}
