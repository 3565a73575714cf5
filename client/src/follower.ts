// What a tab that follows does: it applies what the leader passes on, fetches what it missed, and watches the
// leader for as long as somebody looks at this tab.
import { within } from './backoff.js';
import { compare } from './cursor.js';
import { RealtimeError } from './error.js';
import type { Heard, LeaderState } from './message.js';
import type { FetchMissing } from './missing.js';
import type { Part, Place } from './seat.js';
import type { Cursor, GapReason } from './types.js';

export interface Follower extends Part {
  /** There was a leader since the start. */
  knewLeader(): boolean;
}

/** A tab must have been looked at for so long before it asks for the lead. */
const settledMs = 2_000;
const claimEveryMs = 5_000;
const helloEveryMs = 20_000;
const greetEveryMs = 1_000;
const longestCoolDown = 600_000;

export function createFollower(place: Place): Follower {
  const { link, bus, inbox, store } = place;
  const { env, settings } = link;
  let life: AbortController | null = null;
  let leader: LeaderState | null = null;
  let leaderTab = '';
  let heardAt = 0;
  let helloAt = 0;
  let claimedAt = -claimEveryMs;
  let visibleSince = 0;
  let checking: unknown;
  let settling: unknown;
  let stealAfter = 0;
  let coolDownMs = settings.stealCooldownMs;
  /** The leader has got to here. */
  let target: Cursor | null = null;
  let catching: Promise<unknown> | null = null;
  let missing: Promise<FetchMissing | null> | undefined;

  // ---- what the leader says ----

  function hear(message: Heard) {
    switch (message.type) {
      case 'hb':
        heardAt = env.now();
        // A new leader doesn't know yet who is there. Two at once, who both answer, are not greeted in turn for ever.
        if (message.tab !== leaderTab && heardAt - helloAt > greetEveryMs) {
          leaderTab = message.tab;
          hello();
        }
        adopt(message.state);
        break;
      case 'events':
        heardAt = env.now();
        if (!inbox.cursor()) inbox.gap('first', message.from);
        if (!inbox.accept(message, 'broadcast')) behind(message.to);
        break;
      case 'gap':
        lost(message.reason, message.to);
        break;
      case 'yield':
        if (message.to === link.tabId) place.election()?.take('handover');
        break;
      case 'bye':
        if (message.role === 'leader') place.election()?.nudge();
    }
  }

  function adopt(state: LeaderState) {
    leader = state;
    const { status, attempt, nextRetryAt, lastContactAt, error: e, cursor } = state;
    const shown = store.get().error;
    // The same error again is the same object, or the snapshot would change each time.
    const error = e && (shown?.message === e.message ? shown : new RealtimeError(e.code, e.message, e));
    store.set({ status, attempt, nextRetryAt, lastContactAt, error });
    if (cursor && inbox.cursor()) behind(cursor);
    else if (cursor) inbox.gap('first', cursor);
  }

  function lost(reason: GapReason, to: Cursor) {
    const own = inbox.cursor();
    // Of another log, or of a future that was taken back: whatever this tab has is void. Else it may be past it.
    const past = own && (own === to || (reason !== 'log' && compare(to, own) <= 0));
    if (!past) inbox.gap(reason, to);
  }

  // ---- what was missed ----

  function isBehind(): boolean {
    const own = inbox.cursor();
    return !!target && !!own && !(compare(target, own) <= 0);
  }

  function behind(to: Cursor | null) {
    target = to;
    if (!life || catching || (to && !isBehind())) return;
    const { signal } = life;
    missing ??= import('./missing.js').then(
      ({ createMissing }) => createMissing(place),
      () => null,
    );
    catching = missing
      // Without the code for it, the gap is told.
      .then((fetchMissing) =>
        fetchMissing ? fetchMissing(() => !isBehind(), signal) : target && inbox.gap('evicted', target),
      )
      .finally(() => (catching = null));
  }

  // ---- is the leader there? ----

  /** Now and then; and at the moment from which a leader that stays silent is to be asked. */
  function later() {
    const wait = within(settings.followerCheckMs, env.random);
    const due = heardAt + settings.leaderLeaseMs - env.now();
    checking = env.setTimeout(check, due > 0 ? Math.min(due, wait) : wait);
  }

  function check() {
    if (!life) return;
    later();
    if (env.now() - helloAt >= helloEveryMs) hello();
    claim();
    if (!place.visible() || env.now() - heardAt < settings.leaderLeaseMs) return;
    const before = heardAt;
    bus?.post({ type: 'ping' });
    env.clearTimeout(checking);
    checking = env.setTimeout(() => {
      if (heardAt === before && place.visible()) silent();
      check();
    }, settings.pingTimeoutMs);
  }

  function silent() {
    const holder = place.lease?.holder();
    if (holder && holder !== link.tabId) {
      // It lives, and this tab can't hear it: then it must not take the lead, but look for itself.
      store.set({ status: 'degraded' });
      behind(null);
    } else if (env.now() >= stealAfter) {
      coolDown();
      place.telemetry('steal', { silentMs: Math.round(env.now() - heardAt) });
      place.election()?.take('steal');
    }
    // The next ping is not before it has had its time again.
    heardAt = env.now();
  }

  function coolDown() {
    // A long peace: what was wrong then is over.
    if (env.now() - stealAfter > longestCoolDown) coolDownMs = settings.stealCooldownMs;
    stealAfter = env.now() + coolDownMs;
    coolDownMs = Math.min(coolDownMs * 2, longestCoolDown);
  }

  function hello() {
    helloAt = env.now();
    bus?.post({ type: 'hello', visible: place.visible() });
  }

  function claim() {
    if (!settings.preferVisibleLeader || !leader || leader.visible || !place.visible()) return;
    if (env.now() - visibleSince < settledMs || env.now() - claimedAt < claimEveryMs) return;
    claimedAt = env.now();
    bus?.post({ type: 'claim' });
  }

  function visibilityChanged() {
    env.clearTimeout(settling);
    visibleSince = env.now();
    settling = env.setTimeout(claim, settledMs);
    hello();
  }

  return {
    hear,
    visibilityChanged,
    knewLeader: () => leader !== null,
    poke: () => bus?.post({ type: 'poke' }),
    changed() {},
    start(how) {
      life = new AbortController();
      leader = null;
      leaderTab = '';
      heardAt = env.now();
      // Robbed, this tab doesn't rob in turn.
      if (how === 'lost') coolDown();
      visibilityChanged();
      later();
    },
    stop() {
      env.clearTimeout(checking);
      env.clearTimeout(settling);
      life?.abort();
      life = null;
      return catching;
    },
    resume() {
      // The leader gets the chance to speak first.
      heardAt = env.now();
      hello();
    },
  };
}
