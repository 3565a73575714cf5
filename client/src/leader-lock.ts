// Election by a Web Lock: it is held for as long as the tab leads, and the browser hands it to the next in the
// queue when the tab gives it up, is closed or crashes.
import type { Election, ElectionHooks } from './election.js';
import type { Lease } from './lease.js';
import type { Locks, RoleChange } from './types.js';

/** `onUnavailable`: the browser has locks and refuses them here. `lease` is kept so that others see that the leader lives. */
export function lockElection(
  locks: Locks,
  name: string,
  lease: Lease | null,
  hooks: ElectionHooks & { onUnavailable(): void },
): Election {
  let over = false;
  let ceded = false;
  /** Withdraws the request that waits, or lets go of the lock. */
  let withdraw = () => {};
  let all: Promise<unknown> = Promise.resolve();

  function ask(how: RoleChange, steal: boolean): void {
    const waiting = new AbortController();
    let held = false;
    let letGo = () => {};
    const mine = () => {
      // Granted in the moment it was withdrawn.
      if (waiting.signal.aborted) return Promise.resolve();
      held = true;
      const kept = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      hooks.onLead(how);
      return kept;
    };
    withdraw = () => {
      waiting.abort();
      letGo();
    };
    const options = steal ? { steal } : { signal: waiting.signal };
    const request = Promise.resolve()
      .then(() => (waiting.signal.aborted ? undefined : locks.request(name, options, mine)))
      .then(undefined, (error: unknown) => {
        if (waiting.signal.aborted) return;
        waiting.abort();
        letGo();
        // Not stolen, but not to be had at all: an opaque origin, say.
        if ((error as Error).name !== 'AbortError') return hooks.onUnavailable();
        // Queued again before anybody hears of it, so that a listener may leave.
        ask('acquired', false);
        if (held) hooks.onLost(ceded ? 'handover' : 'lost');
        ceded = false;
      });
    all = Promise.allSettled([all, request]);
  }

  return {
    join: () => ask('acquired', false),
    async leave() {
      over = true;
      withdraw();
      lease?.drop();
      await all;
    },
    take(how) {
      if (over) return;
      withdraw();
      ask(how, true);
    },
    // The claimant steals the lock: handed back, it would go to the first of the queue.
    cede() {
      ceded = true; // until it is lost, however late
    },
    nudge() {},
    renew: () => lease?.write(),
  };
}
