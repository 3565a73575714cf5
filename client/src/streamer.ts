// The leader by stream: what its lines come to, and what its end means. Loaded only where a stream is wanted.
import { backoff } from './backoff.js';
import type { AskFrom, TakeAnswer } from './catchup.js';
import type { RealtimeError } from './error.js';
import { bounded, type Link, overloaded, refused } from './request.js';
import { StreamBlocked, stream } from './stream.js';
import type { Answer, Ending, Line } from './wire.js';

/** What it needs of the loop. */
export interface StreamerHooks {
  contact(): void;
  /** A round trip that began then ends now. */
  measured(since: number): void;
  rtt(): number;
  /** The server asked for this pause, which is returned. */
  asked(ms: number): number;
  /** Streams don't get through: polls from now on, for a while. */
  toPolls(): void;
}

/** One stream, from `ask.cursor` to its end. Resolves with the pause after it. */
export type Streamer = (ask: AskFrom) => Promise<number>;

/** A stream that lives shorter than this, so many times in a row, is cut by something on the way. */
const shortLife = 5_000;
const mostCuts = 3;

export function createStreamer(link: Link, take: TakeAnswer, hooks: StreamerHooks): Streamer {
  const { env, settings } = link;
  const { transport, retry, streamProbeMs } = settings;
  let cuts = 0;

  async function run(ask: AskFrom): Promise<number> {
    const began = env.now();
    let opened = 0;
    let missed: Answer | null = null;
    let end: Ending | null = null;
    let { cursor } = ask;

    /** Passes on what the lines up to here come to. */
    function flush(answer: Answer | null) {
      if (!answer || answer.cursor === cursor) return;
      void take(answer, { ...ask, cursor }, 'stream');
      cursor = answer.cursor;
    }

    function onLines(lines: Line[]): boolean {
      if (ask.signal.aborted) return false;
      let sum: Answer | null = null;
      for (const line of lines) {
        if (line.end) {
          end = line.end;
          break;
        }
        hooks.contact();
        if (line.gap === 'evicted') {
          missed = line;
          break;
        }
        // A gap stands by itself.
        if (line.gap || sum?.gap) flush(sum);
        sum = sum && !line.gap && !sum.gap ? plus(sum, line) : line;
      }
      flush(sum);
      return !end && !missed;
    }

    await stream(link, ask, Math.max(streamProbeMs, 4 * hooks.rtt()), onLines, () => {
      opened = env.now();
      hooks.measured(began);
    });
    if (ask.signal.aborted) return 0;
    if (missed) await take(missed, { ...ask, cursor }, 'stream');
    return missed ? 0 : ended(end, env.now() - opened);
  }

  function toPolls(): number {
    hooks.toPolls();
    cuts = 0;
    return 0;
  }

  function ended(end: Ending | null, lived: number): number {
    const ms = bounded(end?.retryAfterMs);
    if (end?.overloaded) throw overloaded(ms);
    if (end?.code) throw refused(statusOf(end.code), end.code, ms);
    if (ms) return hooks.asked(ms);
    cuts = lived < shortLife ? cuts + 1 : 0;
    if (cuts >= mostCuts && transport === 'auto') return toPolls();
    return cuts && backoff(cuts, retry, env.random);
  }

  return async (ask) => {
    try {
      return await run(ask);
    } catch (error) {
      const blocked = error instanceof StreamBlocked || (error as RealtimeError).code === 'timeout';
      if (blocked && transport === 'auto' && !ask.signal.aborted) return toPolls();
      throw error;
    }
  };
}

function plus(sum: Answer, line: Answer): Answer {
  return { ...line, events: [...sum.events, ...line.events], dropped: sum.dropped + line.dropped };
}

/** The status that a refusal would have had, had the stream not begun. */
function statusOf(code: string): number {
  if (code.startsWith('token_')) return 401;
  if (code === 'forbidden') return 403;
  return code === 'superseded' ? 409 : 503;
}
