// The leader's loop: one request after the other, and the pauses between them.
import { backoff, within } from './backoff.js';
import { createCatchUp, type Sink } from './catchup.js';
import { RealtimeError } from './error.js';
import { createPause } from './pause.js';
import { head, poll } from './poll.js';
import { type Ask, bounded, type Link, refused } from './request.js';
import { StreamBlocked, stream } from './stream.js';
import type { Telemetry } from './telemetry.js';
import { createTokens } from './tokens.js';
import type { Cursor, RealtimeEvent, Status } from './types.js';
import type { Batch, Line } from './wire.js';

/** What the loop tells of itself. */
export interface Contact {
  status: Status;
  transport: 'poll' | 'stream' | null;
  attempt: number;
  nextRetryAt: number | null;
  lastContactAt: number | null;
  error: RealtimeError | null;
}

export interface PumpHooks extends Sink {
  cursor(): Cursor | null;
  propertyId(): string | undefined;
  /** A tab of the session is looked at. */
  seen(): boolean;
  report(contact: Contact): void;
  failed(error: RealtimeError): void;
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

export function createPump(link: Link, hooks: PumpHooks, telemetry: Telemetry, first: Contact): Pump {
  const { settings, env } = link;
  const { retry = {} } = settings;
  const nap = createPause(env);
  const tokens = createTokens(link);
  const catchUp = createCatchUp(link, hooks);
  let state: Contact = { ...first, nextRetryAt: null };
  let failingSince: number | null = null;
  let notBefore = 0;
  let streamAfter = 0;
  let cuts = 0;
  let rtt = 0;
  let request = new AbortController();
  let afresh = false;

  function report(change: Partial<Contact>) {
    state = { ...state, ...change };
    hooks.report(state);
  }

  function contact(transport: 'poll' | 'stream') {
    failingSince = null;
    tokens.accepted();
    report({
      status: 'live',
      transport,
      attempt: 0,
      nextRetryAt: null,
      lastContactAt: env.wall(),
      error: null,
    });
  }

  function measured(ms: number) {
    rtt = rtt ? rtt * 0.75 + ms * 0.25 : ms;
  }

  // ---- one request ----

  /** Resolves with the pause after it. */
  async function step(signal: AbortSignal): Promise<number> {
    if (env.page?.online() === false) return cutOff();
    const token = await tokens.get(signal);
    if (signal.aborted) return 0;
    if (token === null) {
      report({ status: 'paused', attempt: 0, nextRetryAt: null });
      return within(settings.followerCheckMs, env.random);
    }
    const ask = { token, propertyId: hooks.propertyId(), signal };
    const cursor = hooks.cursor() ?? (await begin({ ...ask, cursor: null }));
    if (signal.aborted) return 0;
    const polls = settings.transport === 'poll' || (settings.transport === 'auto' && env.now() < streamAfter);
    return await (polls ? byPoll : byStream)({ ...ask, cursor });
  }

  async function begin(ask: Ask): Promise<Cursor> {
    const began = env.now();
    const cursor = await head(link, ask);
    measured(env.now() - began);
    if (!ask.signal.aborted) hooks.gap('first', null, cursor);
    return cursor;
  }

  async function byPoll(ask: Ask & { cursor: Cursor }): Promise<number> {
    // Out of touch, an answer at once says more than one in 25 s.
    const probe = state.status !== 'live';
    const began = env.now();
    const answer = await poll(link, ask, probe, rtt);
    if (ask.signal.aborted) return 0;
    const elapsed = env.now() - began;
    if (probe) measured(elapsed);
    if (answer.overloaded) throw overloaded(answer.retryAfterMs);
    contact('poll');
    await catchUp.take(answer, ask.cursor, ask, 'poll');
    if (answer.retryAfterMs !== undefined) return asked(answer.retryAfterMs);
    const hidden = hooks.seen() ? 0 : within(settings.hiddenBackoffMs, env.random);
    if (probe || answer.gap || answer.events.length) return probe ? 0 : hidden;
    if (elapsed >= settings.fastEmptyThresholdMs + rtt) {
      return Math.max(hidden, within(settings.idleBackoffMs, env.random));
    }
    telemetry.send('fast_empty', { elapsedMs: Math.round(elapsed) });
    return within(settings.fastEmptyBackoffMs, env.random);
  }

  async function byStream(ask: Ask & { cursor: Cursor }): Promise<number> {
    let at = ask.cursor;
    let opened = 0;
    let missed: Cursor | null = null;
    let end: Line | null = null;
    const flush = (events: Array<RealtimeEvent | null>, to: Cursor) => {
      if (to === at) return;
      const batch: Batch = { from: at, to, events: catchUp.sift(events) };
      at = to;
      hooks.deliver(batch, 'stream');
    };
    const onLines = (lines: Line[]) => {
      if (ask.signal.aborted) return false;
      if (lines.some((line) => line.kind !== 'end')) contact('stream');
      let events: Array<RealtimeEvent | null> = [];
      let to = at;
      for (const line of lines) {
        if (line.kind === 'end') {
          end = line;
          break;
        }
        if (line.kind === 'gap') {
          flush(events, to);
          events = [];
          if (line.reason === 'evicted') {
            missed = line.cursor;
            return false;
          }
          hooks.gap(line.reason, at, line.cursor);
          at = line.cursor;
        }
        if (line.kind === 'event') events.push(line.event);
        to = line.cursor;
      }
      flush(events, to);
      return end === null;
    };
    try {
      await stream(link, ask, Math.max(settings.streamProbeMs, 4 * rtt), {
        onLines,
        onOpen(ms) {
          opened = env.now();
          measured(ms);
        },
      });
    } catch (error) {
      if (ask.signal.aborted) return 0;
      const silent = error instanceof RealtimeError && error.code === 'timeout';
      if (settings.transport === 'auto' && (silent || error instanceof StreamBlocked)) return toPolls();
      throw error instanceof StreamBlocked
        ? new RealtimeError('timeout', "the stream's first line didn't come: use transport 'auto' or 'poll'.")
        : error;
    }
    if (ask.signal.aborted) return 0;
    if (missed) {
      await catchUp.evicted({ ...ask, cursor: at }, missed);
      return 0;
    }
    return ended(end, env.now() - opened);
  }

  function toPolls(): number {
    streamAfter = env.now() + settings.streamRetryMs;
    cuts = 0;
    return 0;
  }

  /** The pause after a stream that came to its end. */
  function ended(end: Line | null, lived: number): number {
    if (end?.kind === 'end') {
      const ms = bounded(end.retryAfterMs);
      if (end.overloaded) throw overloaded(ms);
      if (end.code !== undefined) throw refused(statusOf(end.code), end.code, ms);
      if (ms !== undefined) return asked(ms);
    }
    cuts = lived < shortLife ? cuts + 1 : 0;
    if (cuts >= mostCuts && settings.transport === 'auto') return toPolls();
    return cuts ? backoff(cuts, retry, env.random) : 0;
  }

  // ---- the pauses ----

  /** The server named this pause: nothing shortens it. */
  function asked(ms: number): number {
    notBefore = env.now() + ms;
    report({ nextRetryAt: env.wall() + ms });
    return ms;
  }

  /** No request while the browser says that there is no network; `restart()` comes with it. */
  function cutOff(): number {
    failingSince ??= env.now();
    report({ status: outOfReach(), nextRetryAt: null });
    return state.status === 'offline' ? Number.POSITIVE_INFINITY : settings.offlineGraceMs;
  }

  function outOfReach(): Status {
    return env.now() - (failingSince ?? 0) >= settings.offlineGraceMs ? 'offline' : 'degraded';
  }

  /** Resolves with the pause after a failure. */
  function failed(cause: unknown): number {
    const error =
      cause instanceof RealtimeError
        ? cause
        : new RealtimeError('bad_response', 'an answer that could not be read.', { cause });
    if (error.code === 'unauthorized' && tokens.refused()) return 0;
    const attempt = state.attempt + 1;
    const slow = { ...retry, baseMs: Math.max(retry.baseMs ?? 2_000, 2 * rtt) };
    const wait = Math.max(backoff(attempt, slow, env.random), error.retryAfterMs ?? 0);
    const terminal = error.code === 'forbidden' || error.code === 'gone';
    if (error.retryAfterMs !== undefined) notBefore = env.now() + error.retryAfterMs;
    report({
      status: statusAfter(error),
      attempt,
      error,
      nextRetryAt: terminal ? null : env.wall() + wait,
    });
    telemetry.send('subscribe_error', { code: error.code, attempt, status: error.status ?? 0 });
    hooks.failed(error);
    return terminal ? Number.POSITIVE_INFINITY : wait;
  }

  function statusAfter({ code }: RealtimeError): Status {
    const unreachable = code === 'network' || code === 'timeout';
    failingSince = unreachable ? (failingSince ?? env.now()) : null;
    if (unreachable) return outOfReach();
    if (code === 'unauthorized' || code === 'forbidden') return 'unauthorized';
    return code === 'gone' || code === 'disabled' ? 'disabled' : 'degraded';
  }

  /** A pause after which nothing has got through for `offlineGraceMs` says so when that time is over. */
  async function rest(ms: number, life: AbortSignal): Promise<void> {
    const until = env.now() + ms;
    const grace = failingSince === null ? Infinity : failingSince + settings.offlineGraceMs - env.now();
    if (state.status !== 'degraded' || grace >= ms) return await nap.sleep(ms, life);
    await nap.sleep(Math.max(grace, 0), life);
    if (life.aborted || env.now() - (failingSince ?? env.now()) < settings.offlineGraceMs) return;
    report({ status: 'offline' });
    await nap.sleep(Math.max(until - env.now(), 0), life);
  }

  async function run(life: AbortSignal): Promise<void> {
    const abort = () => request.abort();
    life.addEventListener('abort', abort);
    while (!life.aborted) {
      request = new AbortController();
      afresh = false;
      let pause = 0;
      try {
        pause = await step(request.signal);
      } catch (error) {
        if (!request.signal.aborted) pause = failed(error);
      }
      if (!life.aborted && !afresh) await rest(pause, life);
    }
    life.removeEventListener('abort', abort);
  }

  return {
    run,
    wake() {
      if (env.now() >= notBefore) nap.wake();
    },
    restart() {
      afresh = true;
      request.abort();
      if (env.now() >= notBefore) {
        state.attempt = 0;
        nap.wake();
      }
    },
  };
}

function overloaded(retryAfterMs: number | undefined): RealtimeError {
  return new RealtimeError('overloaded', 'the server is at a limit: it is tried again.', {
    status: 200,
    retryAfterMs,
  });
}

/** The status that a refusal would have had, had the stream not begun. */
function statusOf(code: string): number {
  if (code.startsWith('token_')) return 401;
  if (code === 'forbidden') return 403;
  return code === 'superseded' ? 409 : 503;
}
