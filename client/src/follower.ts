// What a tab that follows does: it applies what the leader passes on, fetches what it missed, and watches the
// leader for as long as somebody looks at this tab.
import { backoff, within } from './backoff.js';
import { createCatchUp } from './catchup.js';
import { compare } from './cursor.js';
import { errorOf, type Heard, type LeaderState } from './message.js';
import { createPause } from './pause.js';
import { poll } from './poll.js';
import type { Place } from './seat.js';
import { createSteals } from './steals.js';
import { createTokens } from './tokens.js';
import type { Cursor, GapReason } from './types.js';
import type { Batch } from './wire.js';

export interface Follower {
  /** `robbed`: another tab has just stolen this one's lead. */
  start(robbed: boolean): void;
  /** Resolves when no request is under way any more. */
  stop(): Promise<void>;
  /** There was a leader since the start. */
  knewLeader(): boolean;
  hear(message: Heard): void;
  hello(): void;
  visibilityChanged(): void;
  /** Time has passed unnoticed: the leader gets the chance to speak first. */
  resume(): void;
}

/** A tab must have been looked at for so long before it asks for the lead. */
const settledMs = 2_000;
const claimEveryMs = 5_000;
const helloEveryMs = 20_000;
/** The leader's ring answers within this, or the server is asked. */
const fillMs = 300;

export function createFollower(place: Place): Follower {
  const { link, bus, inbox, store } = place;
  const { env, settings } = link;
  const steals = createSteals(env, settings.stealCooldownMs);
  let life: AbortController | null = null;
  let leader: LeaderState | null = null;
  let heardAt = 0;
  let helloAt = 0;
  let claimedAt = Number.NEGATIVE_INFINITY;
  let visibleSince: number | null = null;
  let checking: unknown;
  let settling: unknown;
  let target: Cursor | null = null;
  let catching: Promise<void> | null = null;
  let filled = () => {};

  // ---- what the leader says ----

  function hear(message: Heard) {
    switch (message.type) {
      case 'leader':
      case 'hb':
      case 'pong':
        fromLeader();
        adopt(message.state);
        break;
      case 'events':
        fromLeader();
        if (covers(message.filter)) take(message);
        break;
      case 'gap':
        fromLeader();
        lost(message.reason, message.to);
        break;
      case 'fill':
        if (message.for === link.tabId) {
          take(message);
          filled();
        }
        break;
      case 'yield':
        if (message.to === link.tabId) place.election()?.take('handover');
        break;
      case 'bye':
        if (message.role === 'leader') place.election()?.nudge();
        break;
    }
  }

  function fromLeader() {
    heardAt = env.now();
  }

  function covers(filter: string | null): boolean {
    return filter === null || filter === place.filter();
  }

  function adopt(state: LeaderState) {
    leader = state;
    const { status, attempt, nextRetryAt, lastContactAt } = state;
    store.set({ status, attempt, nextRetryAt, lastContactAt, error: sameError(state) });
    if (state.cursor && covers(state.filter)) reach(state.cursor);
  }

  /** The error that is shown already, where it is that one: a new object would be a change. */
  function sameError(state: LeaderState) {
    const shown = store.get().error;
    return shown && shown.message === state.error?.message ? shown : errorOf(state);
  }

  function begin(at: Cursor) {
    inbox.gap('first', at);
    store.set({ cursor: at });
  }

  /** Everything up to `cursor` is out: this tab must have it. */
  function reach(cursor: Cursor) {
    const own = inbox.cursor();
    if (own === null) begin(cursor);
    else if (!(compare(cursor, own) <= 0)) behind(cursor);
  }

  function take(batch: Batch) {
    if (inbox.cursor() === null) begin(batch.from);
    const { from, to, events } = batch;
    if (inbox.accept({ from, to, events }, 'broadcast') === 'hole') behind(to);
    store.set({ cursor: inbox.cursor() });
  }

  function lost(reason: GapReason, to: Cursor) {
    const own = inbox.cursor();
    if (own === to) return;
    // Of another log, or of a future that was taken back: whatever this tab has is void. Else it may be past it.
    if (own !== null && reason !== 'log' && compare(to, own) <= 0) return;
    inbox.gap(reason, to);
    store.set({ cursor: to });
  }

  // ---- what was missed ----

  function behind(cursor: Cursor) {
    target = cursor;
    if (life && !catching) catching = catchUp(life.signal).finally(() => (catching = null));
  }

  function isBehind(): boolean {
    const own = inbox.cursor();
    return target !== null && own !== null && !(compare(target, own) <= 0);
  }

  async function catchUp(signal: AbortSignal): Promise<void> {
    const pause = createPause(env);
    let failures = 0;
    while (isBehind() && !signal.aborted) {
      filled = pause.wake;
      bus?.post({ type: 'ask', from: inbox.cursor() as Cursor, filter: place.filter() });
      await pause.sleep(fillMs, signal);
      if (!isBehind() || signal.aborted) return;
      const done = await fetchMissing(signal);
      // What the server's answer doesn't reach, this tab need not see: a cursor of another log, say.
      if (done) return;
      await pause.sleep(backoff(++failures, settings.retry, env.random), signal);
    }
  }

  const catcher = createCatchUp(link, {
    deliver(batch, source) {
      inbox.accept(batch, source);
      store.set({ cursor: inbox.cursor() });
    },
    gap(reason, _from, to) {
      place.telemetry.send('gap', { reason });
      inbox.gap(reason, to);
      store.set({ cursor: to });
    },
    invalid: place.onError,
  });
  const tokens = createTokens(link);

  /** True: that is all there was. False: it failed, or there is more. */
  async function fetchMissing(signal: AbortSignal): Promise<boolean> {
    const from = inbox.cursor() as Cursor;
    try {
      const token = await tokens.get(signal);
      if (token === null || signal.aborted || !place.current()) return false;
      const ask = { token, cursor: from, propertyId: place.filter() ?? undefined, signal };
      const answer = await poll(link, ask, true, 0);
      tokens.accepted();
      if (signal.aborted || answer.overloaded) return false;
      await catcher.take(answer, from, ask, 'catchup');
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === 'unauthorized') tokens.refused();
      return false;
    }
  }

  // ---- is the leader there? ----

  function check() {
    const { followerCheckMs, leaderLeaseMs, pingTimeoutMs } = settings;
    checking = env.setTimeout(check, within(followerCheckMs, env.random));
    if (env.now() - helloAt >= helloEveryMs) hello();
    claim();
    if (!place.visible() || env.now() - heardAt < leaderLeaseMs) return;
    const asked = heardAt;
    env.clearTimeout(checking);
    bus?.post({ type: 'ping' });
    checking = env.setTimeout(() => {
      checking = env.setTimeout(check, within(followerCheckMs, env.random));
      if (heardAt === asked && place.visible()) silent();
    }, pingTimeoutMs);
  }

  function silent() {
    const holder = place.lease?.holder() ?? null;
    if (holder !== null && holder !== link.tabId) {
      // It lives, and this tab can't hear it: then it must not take the lead, but look for itself.
      store.set({ status: 'degraded' });
      const own = inbox.cursor();
      if (own && life && !catching) catching = deaf(life.signal).finally(() => (catching = null));
    } else if (steals.allowed()) {
      steals.done();
      place.telemetry.send('steal', { silentMs: Math.round(env.now() - heardAt) });
      fromLeader();
      place.election()?.take('steal');
    }
  }

  async function deaf(signal: AbortSignal): Promise<void> {
    await fetchMissing(signal);
  }

  function hello() {
    helloAt = env.now();
    bus?.post({ type: 'hello', filter: place.filter(), visible: place.visible() });
  }

  function claim() {
    if (!settings.preferVisibleLeader || !leader || leader.visible || visibleSince === null) return;
    if (env.now() - visibleSince < settledMs || env.now() - claimedAt < claimEveryMs) return;
    claimedAt = env.now();
    bus?.post({ type: 'claim' });
  }

  function visibilityChanged() {
    env.clearTimeout(settling);
    visibleSince = place.visible() ? env.now() : null;
    if (visibleSince !== null) settling = env.setTimeout(claim, settledMs);
    hello();
  }

  return {
    hear,
    hello,
    visibilityChanged,
    knewLeader: () => leader !== null,
    start(robbed) {
      life = new AbortController();
      leader = null;
      fromLeader();
      if (robbed) steals.robbed();
      visibilityChanged();
      checking = env.setTimeout(check, within(settings.followerCheckMs, env.random));
    },
    stop() {
      env.clearTimeout(checking);
      env.clearTimeout(settling);
      life?.abort();
      life = null;
      return catching ?? Promise.resolve();
    },
    resume() {
      fromLeader();
      hello();
    },
  };
}
