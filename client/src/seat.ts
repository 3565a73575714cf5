// A tab's place among the tabs of one session: it leads or follows, from joining to leaving.
import { type Bus, hash, openBus } from './channel.js';
import type { Election } from './election.js';
import { createFollower, type Follower } from './follower.js';
import type { Inbox } from './inbox.js';
import { createLeader, type Leader } from './leader.js';
import { lockElection } from './leader-lock.js';
import { createLease, type Lease } from './lease.js';
import { leaseElection } from './lease-election.js';
import type { Heard } from './message.js';
import type { Link } from './request.js';
import type { Store } from './store.js';
import { createTelemetry, type Telemetry } from './telemetry.js';
import type { Role, RoleChange, Scope } from './types.js';

/** What the client lends to its seat. */
export interface Tab {
  link: Link;
  inbox: Inbox;
  store: Store;
  scope(): Scope;
  /** The session is still the one that the seat was taken for. */
  current(): boolean;
  onRole(role: Role, how: RoleChange): void;
}

/** What leader and follower share. */
export interface Place extends Tab {
  bus: Bus | null;
  lease: Lease | null;
  telemetry: Telemetry;
  /** Where to steal, renew and give way: it may change from locks to a lease. */
  election(): Election | null;
  filter(): string | null;
  visible(): boolean;
}

export interface Seat {
  key: string;
  leave(): Promise<void>;
  /** Whatever waits is tried now. */
  poke(): void;
  visibilityChanged(): void;
  scopeChanged(): void;
  /** The snapshot has changed. */
  changed(): void;
  /** The machine slept, or the network changed: what was under way is dead. */
  resume(): void;
}

export function takeSeat(tab: Tab, key: string): Seat {
  const { link, store } = tab;
  const { env, settings, tabId } = link;
  const k = hash(key);
  const name = (what: string) => `${settings.domain}-${what}:${key}`;
  const lease =
    env.storage && createLease(env, env.storage, name('leader-lease'), tabId, settings.leaderLeaseMs);
  const bus = env.locks || lease ? openBus(env, `${settings.domain}-events`, k, tabId, hear) : null;
  const place: Place = {
    ...tab,
    bus,
    lease,
    telemetry: createTelemetry(settings, env, tabId, k),
    election: () => election,
    filter: () => tab.scope().propertyId ?? null,
    visible: () => env.page?.visible() ?? true,
  };
  const leader: Leader = createLeader(place);
  const follower: Follower = createFollower(place);
  let left = false;
  let election: Election | null = null;

  // ---- roles ----

  function onLead(how: RoleChange) {
    if (left) return;
    const change = how === 'acquired' && follower.knewLeader() ? 'takeover' : how;
    void follower.stop();
    store.set({ role: 'leader' });
    leader.lead(change);
    tab.onRole('leader', change);
  }

  function onLost() {
    if (left) return;
    void leader.stop();
    store.set({ role: 'follower', transport: null });
    follower.coolDown();
    follower.start();
    tab.onRole('follower', 'lost');
  }

  function withoutLocks() {
    if (left) return;
    if (!lease || !bus) return alone();
    election = leaseElection(env, lease, tabId, settings.followerCheckMs, { onLead, onLost });
    election.join();
  }

  /** Nothing to elect a leader by, or nothing to hear one by: each tab asks for itself. */
  function alone() {
    election = null;
    store.set({ solo: true });
    onLead('acquired');
  }

  function join() {
    store.set({
      role: 'follower',
      status: 'connecting',
      error: null,
      attempt: 0,
      nextRetryAt: null,
      solo: false,
    });
    if (!bus) return alone();
    follower.start();
    if (!env.locks) return withoutLocks();
    const hooks = { onLead, onLost, onUnavailable: withoutLocks };
    election = lockElection(env.locks, name('realtime-leader'), lease, hooks);
    election.join();
  }

  // ---- messages ----

  function hear(message: Heard) {
    if (left || !tab.current()) return;
    if (leader.leading()) leader.hear(message);
    else follower.hear(message);
  }

  join();

  return {
    key,
    async leave() {
      if (left) return;
      left = true;
      bus?.post({ type: 'bye', role: store.get().role });
      const ended = [leader.stop(), follower.stop()];
      store.set({ role: 'none', transport: null });
      // The lock goes last: who takes it over is to find the channel told and no request under way.
      ended.push(election?.leave() ?? Promise.resolve());
      bus?.close();
      await Promise.all(ended);
    },
    poke() {
      if (leader.leading()) leader.wake();
      else bus?.post({ type: 'poke' });
    },
    changed: leader.changed,
    visibilityChanged() {
      if (leader.leading()) leader.wake();
      else follower.visibilityChanged();
    },
    scopeChanged() {
      if (leader.leading()) leader.refilter();
      else follower.hello();
    },
    resume() {
      if (leader.leading()) leader.restart();
      else follower.resume();
    },
  };
}
