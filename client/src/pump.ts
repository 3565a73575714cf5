// The leader's loop: one request after the other, and the pauses between them.
import { backoff, within } from './backoff.js';
import { createCatchUp, type Sink } from './catchup.js';
import { RealtimeError } from './error.js';
import { createPause } from './pause.js';
import { head, poll } from './poll.js';
import { type Ask, bounded, type Link, refused } from './request.js';
import type { Store } from './store.js';
import { StreamBlocked, stream } from './stream.js';
import type { Telemetry } from './telemetry.js';
import { createTokens } from './tokens.js';
import type { Cursor, Status } from './types.js';
import type { Answer, Ending, Line } from './wire.js';

export interface PumpHooks extends Sink {
  cursor(): Cursor | null;
  /** The filter of the next request. */
  filter(): string | null;
  /** A tab of the session is looked at. */
  seen(): boolean;
}

export interface Pump {
  /** Resolves when `life` has aborted. Rejects never. */
  run(life: AbortSignal): Promise<void>;
  /** Ends a pause, but none that the server asked for. */
  wake(): void;
  /** Gives up the request that is under way and starts afresh: another filter, or a connection that must be dead. */
  restart(): void;
}

/** A stream that lives shorter than this, so many times in a row, is cut by something on the way. */
const shortLife = 5_000;
const mostCuts = 3;
const never = Number.POSITIVE_INFINITY;

export function createPump(link: Link, hooks: PumpHooks, store: Store, telemetry: Telemetry): Pump {
  const { settings, env } = link;
  const { transport, retry } = settings;
  const nap = createPause(env);
  const tokens = createTokens(link);
  const take = createCatchUp(link, hooks);
  let unreachable: unknown;
  let notBefore = 0;
  let streamAfter = 0;
  let cuts = 0;
  let rtt = 0;
  let request = new AbortController();
  let afresh = false;

  function contact(by: 'poll' | 'stream') {
    tokens.accepted();
    reached();
    store.set({
      status: 'live',
      transport: by,
      attempt: 0,
      nextRetryAt: null,
      lastContactAt: env.wall(),
      error: null,
    });
  }

  function measured(since: number) {
    const ms = env.now() - since;
    rtt = rtt ? rtt * 0.75 + ms * 0.25 : ms;
  }

  // ---- one request, and the pause after it ----

  async function step(signal: AbortSignal): Promise<number> {
    if (env.page?.online() === false) {
      store.set({ status: outOfReach(), nextRetryAt: null });
      return never;
    }
    const token = await tokens.get(signal);
    if (signal.aborted) return 0;
    if (token === null) {
      store.set({ status: 'paused', attempt: 0, nextRetryAt: null });
      return within(settings.followerCheckMs, env.random);
    }
    const ask = { token, propertyId: hooks.filter(), signal };
    const cursor = hooks.cursor() ?? (await begin({ ...ask, cursor: null }));
    if (signal.aborted) return 0;
    const polls = transport === 'poll' || (transport === 'auto' && env.now() < streamAfter);
    return await (polls ? byPoll : byStream)({ ...ask, cursor });
  }

  async function begin(ask: Ask): Promise<Cursor> {
    const began = env.now();
    const cursor = await head(link, ask);
    measured(began);
    if (!ask.signal.aborted) hooks.gap('first', null, cursor);
    return cursor;
  }

  async function byPoll(ask: Ask & { cursor: Cursor }): Promise<number> {
    // Out of touch, an answer at once says more than one in 25 s.
    const probe = store.get().status !== 'live';
    const began = env.now();
    const answer = await poll(link, ask, probe, rtt);
    if (ask.signal.aborted) return 0;
    const elapsed = env.now() - began;
    if (probe) measured(began);
    if (answer.overloaded) throw overloaded(answer.retryAfterMs);
    contact('poll');
    await take(answer, ask, 'poll');
    if (answer.retryAfterMs !== undefined) return asked(answer.retryAfterMs);
    if (probe) return 0;
    const hidden = hooks.seen() ? 0 : within(settings.hiddenBackoffMs, env.random);
    if (answer.gap || answer.events.length) return hidden;
    if (elapsed >= settings.fastEmptyThresholdMs + rtt) {
      return Math.max(hidden, within(settings.idleBackoffMs, env.random));
    }
    telemetry('fast_empty', { elapsedMs: Math.round(elapsed) });
    return within(settings.fastEmptyBackoffMs, env.random);
  }

  async function byStream(ask: Ask & { cursor: Cursor }): Promise<number> {
    const began = env.now();
    let opened = 0;
    let missed: Answer | null = null;
    let end: Ending | null = null;
    let { cursor } = ask;

    /** Passes on what the lines up to here come to. */
    function flush(answer: Answer) {
      if (answer.cursor !== cursor) void take(answer, { ...ask, cursor }, 'stream');
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
        if (!sum) contact('stream');
        if (line.gap) {
          if (sum) flush(sum);
          sum = null;
          if (line.gap === 'evicted') {
            missed = line;
            return false;
          }
          flush(line);
        } else {
          sum = sum
            ? { ...line, events: sum.events.concat(line.events), dropped: sum.dropped + line.dropped }
            : line;
        }
      }
      if (sum) flush(sum);
      return !end;
    }

    try {
      await stream(link, ask, Math.max(settings.streamProbeMs, 4 * rtt), onLines, () => {
        opened = env.now();
        measured(began);
      });
    } catch (error) {
      if (ask.signal.aborted) return 0;
      const blocked = error instanceof StreamBlocked || (error as RealtimeError).code === 'timeout';
      if (blocked && transport === 'auto') return toPolls();
      throw error;
    }
    if (ask.signal.aborted) return 0;
    if (missed) await take(missed, { ...ask, cursor }, 'stream');
    return missed ? 0 : ended(end, env.now() - opened);
  }

  function toPolls(): number {
    streamAfter = env.now() + settings.streamRetryMs;
    cuts = 0;
    return 0;
  }

  function ended(end: Ending | null, lived: number): number {
    const ms = bounded(end?.retryAfterMs);
    if (end?.overloaded) throw overloaded(ms);
    if (end?.code) throw refused(statusOf(end.code), end.code, ms);
    if (ms !== undefined) return asked(ms);
    cuts = lived < shortLife ? cuts + 1 : 0;
    if (cuts >= mostCuts && transport === 'auto') return toPolls();
    return cuts && backoff(cuts, retry, env.random);
  }

  /** The server named this pause: nothing shortens it. */
  function asked(ms: number): number {
    notBefore = env.now() + ms;
    store.set({ nextRetryAt: env.wall() + ms });
    return ms;
  }

  // ---- failures ----

  /** Nothing gets through: after a while that is called offline. */
  function outOfReach(): Status {
    unreachable ??= env.setTimeout(() => store.set({ status: 'offline' }), settings.offlineGraceMs);
    return store.get().status === 'offline' ? 'offline' : 'degraded';
  }

  function reached() {
    env.clearTimeout(unreachable);
    unreachable = undefined;
  }

  /** Resolves with the pause after a failure. */
  function failed(cause: unknown): number {
    const known = cause instanceof RealtimeError;
    const error = known
      ? cause
      : new RealtimeError('bad_response', 'an answer that can not be read.', { cause });
    const { code, retryAfterMs = 0 } = error;
    if (code === 'unauthorized' && tokens.refused()) return 0;
    const attempt = store.get().attempt + 1;
    const slow = { ...retry, baseMs: Math.max(retry?.baseMs ?? 2_000, 2 * rtt) };
    const terminal = code === 'forbidden' || code === 'gone';
    const wait = terminal ? never : Math.max(backoff(attempt, slow, env.random), retryAfterMs);
    // Nothing but a new start goes on after 410.
    notBefore = code === 'gone' ? never : env.now() + retryAfterMs;
    store.set({
      status: statusAfter(code),
      attempt,
      error,
      nextRetryAt: terminal ? null : env.wall() + wait,
    });
    telemetry('subscribe_error', { code, attempt, status: error.status ?? 0 });
    link.onError(error);
    return wait;
  }

  function statusAfter(code: RealtimeError['code']): Status {
    if (code === 'network' || code === 'timeout') return outOfReach();
    reached();
    if (code === 'unauthorized' || code === 'forbidden') return 'unauthorized';
    return code === 'gone' || code === 'disabled' ? 'disabled' : 'degraded';
  }

  async function run(life: AbortSignal): Promise<void> {
    life.addEventListener('abort', () => request.abort());
    while (!life.aborted) {
      request = new AbortController();
      afresh = false;
      let pause = 0;
      try {
        pause = await step(request.signal);
      } catch (error) {
        if (!request.signal.aborted) pause = failed(error);
      }
      if (!afresh) await nap.sleep(pause, life);
    }
    reached();
  }

  function wake() {
    if (env.now() >= notBefore) nap.wake();
  }

  return {
    run,
    wake,
    restart() {
      afresh = true;
      request.abort();
      store.set({ attempt: 0 });
      wake();
    },
  };
}

function overloaded(retryAfterMs: number | undefined): RealtimeError {
  return new RealtimeError('overloaded', 'the server is at a limit; retrying.', { retryAfterMs });
}

/** The status that a refusal would have had, had the stream not begun. */
function statusOf(code: string): number {
  if (code.startsWith('token_')) return 401;
  if (code === 'forbidden') return 403;
  return code === 'superseded' ? 409 : 503;
}
