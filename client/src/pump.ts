// The leader's loop: one request after the other, and the pauses between them.
import { backoff, within } from './backoff.js';
import { type AskFrom, createCatchUp, type Sink } from './catchup.js';
import { RealtimeError } from './error.js';
import { createPause } from './pause.js';
import { head, poll } from './poll.js';
import { type Ask, type Link, overloaded } from './request.js';
import { type Store, untroubled } from './store.js';
import type { Telemetry } from './telemetry.js';
import { createTokens } from './tokens.js';
import type { Cursor, Range, Status } from './types.js';

export interface PumpHooks extends Sink {
  cursor(): Cursor | null;
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

const never = Infinity;

export function createPump(link: Link, hooks: PumpHooks, store: Store, telemetry: Telemetry): Pump {
  const { settings, env } = link;
  const { transport, retry } = settings;
  const nap = createPause(env);
  const tokens = createTokens(link);
  const take = createCatchUp(link, hooks);
  let unreachable: unknown;
  let notBefore = 0;
  let streamAfter = 0;
  let rtt = 0;
  let request = new AbortController();
  // Loaded only where it is used; and where its code can't be had any more, there are polls.
  const streamer =
    transport === 'poll'
      ? null
      : import('./streamer.js').then(
          ({ createStreamer }) =>
            createStreamer(link, take, {
              contact: () => contact('stream'),
              measured,
              asked,
              rtt: () => rtt,
              toPolls() {
                streamAfter = env.now() + settings.streamRetryMs;
                // The next poll is to show at once whether the server is there.
                store.set({ status: 'connecting', transport: 'poll' });
              },
            }),
          () => null,
        );
  let afresh = false;

  function contact(by: 'poll' | 'stream') {
    tokens.accepted();
    reached();
    store.set({ ...untroubled, status: 'live', transport: by, lastContactAt: env.wall() });
  }

  function some(range: Range): number {
    return within(range, env.random);
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
      store.set({ ...untroubled, status: 'paused' });
      return some(settings.followerCheckMs);
    }
    const ask = { token, signal };
    const cursor = hooks.cursor() ?? (await begin({ ...ask, cursor: null }));
    if (signal.aborted) return 0;
    const stream = env.now() < streamAfter ? null : await streamer;
    if (signal.aborted) return 0;
    return await (stream ?? byPoll)({ ...ask, cursor });
  }

  async function begin(ask: Ask): Promise<Cursor> {
    const began = env.now();
    const cursor = await head(link, ask);
    measured(began);
    if (!ask.signal.aborted) hooks.gap('first', cursor);
    return cursor;
  }

  async function byPoll(ask: AskFrom): Promise<number> {
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
    if (answer.retryAfterMs) return asked(answer.retryAfterMs);
    if (probe) return 0;
    const hidden = hooks.seen() ? 0 : some(settings.hiddenBackoffMs);
    // An old answer out of some cache has events too, and leads nowhere.
    if (answer.gap || (answer.events.length && answer.cursor !== ask.cursor)) return hidden;
    if (elapsed >= settings.fastEmptyThresholdMs + rtt) {
      return Math.max(hidden, some(settings.idleBackoffMs));
    }
    telemetry('fast_empty', { elapsedMs: Math.round(elapsed) });
    return some(settings.fastEmptyBackoffMs);
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
    const error = known ? cause : new RealtimeError('bad_response', 'unreadable answer.', { cause });
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
      // Without a timer where there is no pause: a hidden tab's run once a minute.
      if (pause && !afresh) await nap.sleep(pause, life);
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
