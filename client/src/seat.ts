// A tab's place among the tabs of one session: it leads or follows, from joining to leaving.
import { type Bus, openBus } from './channel.js';
import type { Election, ElectionHooks } from './election.js';
import { createFollower } from './follower.js';
import type { Inbox } from './inbox.js';
import { createLeader } from './leader.js';
import { lockElection } from './leader-lock.js';
import { createLease, type Lease } from './lease.js';
import type { Heard } from './message.js';
import type { Link } from './request.js';
import { type Store, untroubled } from './store.js';
import { createTelemetry, type Telemetry } from './telemetry.js';
import type { Role, RoleChange } from './types.js';

/** What the client lends to its seat. */
export interface Tab {
  link: Link;
  inbox: Inbox;
  store: Store;
  /** The session is still the one that the seat was taken for. */
  current(): boolean;
  onRole(role: Role, how: RoleChange): void;
}

/** What leader and follower share. */
export interface Place extends Tab {
  bus: Bus | null;
  lease: Lease | null;
  telemetry: Telemetry;
  /** Where to steal, renew and give way; `null` for a tab that is alone. */
  election(): Election | null;
  visible(): boolean;
}

/** A role, played. */
export interface Part {
  start(how: RoleChange): void;
  /** Resolves when no request of it is under way any more; `null`: none is. */
  stop(): Promise<unknown> | null;
  hear(message: Heard): void;
  /** Whatever waits is tried now. */
  poke(): void;
  visibilityChanged(): void;
  /** The machine slept, or the network changed: what was under way is dead. */
  resume(): void;
  /** The snapshot has changed. */
  changed(): void;
}

export interface Seat {
  key: string;
  part(): Part;
  /** Once, and first. */
  join(): void;
  leave(): Promise<void>;
}

export function takeSeat(tab: Tab, key: string): Seat {
  const { link, inbox, store } = tab;
  const { env, settings, tabId } = link;
  const name = (what: string) => `${settings.domain}-${what}:${key}`;
  const lease =
    env.storage && createLease(env, env.storage, name('leader-lease'), tabId, settings.leaderLeaseMs);
  const bus = env.locks || lease ? openBus(env, `${settings.domain}-events`, key, tabId, hear) : null;
  const place: Place = {
    ...tab,
    bus,
    lease,
    telemetry: createTelemetry(settings, env, tabId),
    election: () => election,
    visible: () => env.page?.visible() ?? true,
  };
  const leader = createLeader(place);
  const follower = createFollower(place);
  let part: Part = follower;
  let left = false;
  let election: Election | null = null;

  function hear(message: Heard) {
    if (!left && tab.current()) part.hear(message);
  }

  function play(next: Part, role: Role, how: RoleChange) {
    if (left) return;
    void part.stop();
    part = next;
    // A leader that no longer answers says nothing about the server.
    const unsure = how === 'steal' || how === 'acquired';
    store.set({ role, transport: null, status: unsure ? 'connecting' : store.get().status });
    // A listener may have left.
    if (left) return;
    part.start(how);
    tab.onRole(role, how);
  }

  const hooks: ElectionHooks & { onUnavailable(): void } = {
    onLead: (how) => play(leader, 'leader', how === 'acquired' && follower.knewLeader() ? 'takeover' : how),
    onLost: (how) => play(follower, 'follower', how),
    onUnavailable: withoutLocks,
  };

  function withoutLocks() {
    if (!lease || !bus) return alone();
    import('./lease-election.js').then(({ leaseElection }) => {
      if (left) return;
      election = leaseElection(env, lease, tabId, settings.followerCheckMs, hooks);
      election.join();
    }, alone);
  }

  /** Nothing to elect a leader by, or nothing to hear one by: each tab asks for itself. */
  function alone() {
    if (left) return;
    store.set({ solo: true });
    hooks.onLead('acquired');
  }

  return {
    key,
    part: () => part,
    join() {
      const cursor = inbox.cursor();
      store.set({ ...untroubled, role: 'follower', status: 'connecting', solo: false, cursor });
      if (left) return;
      follower.start('acquired');
      if (env.locks && bus) {
        election = lockElection(env.locks, name('realtime-leader'), lease, hooks);
        election.join();
      } else {
        withoutLocks();
      }
    },
    async leave() {
      left = true;
      bus?.post({ type: 'bye', role: store.get().role });
      // The lock goes last: who takes it over is to find the channel told and no request under way.
      const ended = [leader.stop(), follower.stop(), election?.leave()];
      bus?.close();
      store.set({ role: 'none', transport: null });
      await Promise.all(ended);
    },
  };
}
