// Election where there are no Web Locks (a page over plain http, an old browser): whoever's name is still in
// the lease after a moment leads. Two may, for that moment; the apply rule makes it harmless.
import { within } from './backoff.js';
import type { Election, ElectionHooks } from './election.js';
import type { Lease } from './lease.js';
import { createPause } from './pause.js';
import type { Range, RealtimeEnv, RoleChange } from './types.js';

/** Long enough for another tab's write to be seen here. */
const settleMs: Range = [50, 150];

export function leaseElection(
  env: RealtimeEnv,
  lease: Lease,
  tabId: string,
  checkMs: Range,
  hooks: ElectionHooks,
): Election {
  const life = new AbortController();
  const pause = createPause(env);
  let leading = false;
  let ceding = false;
  let how: RoleChange = 'acquired';
  let done: Promise<void> = Promise.resolve();

  async function campaign(): Promise<void> {
    while (!life.signal.aborted) {
      if (!leading && !ceding && lease.holder() === null) await claim();
      ceding = false;
      // While it leads, renew() looks after the lease.
      await pause.sleep(leading ? Number.POSITIVE_INFINITY : within(checkMs, env.random), life.signal);
    }
  }

  async function claim(): Promise<void> {
    // Storage that takes nothing any more stops nobody.
    lease.write();
    await createPause(env).sleep(within(settleMs, env.random), life.signal);
    if (life.signal.aborted || (lease.holder() ?? tabId) !== tabId) return;
    leading = true;
    hooks.onLead(how);
    how = 'acquired';
  }

  return {
    join() {
      done = campaign();
    },
    async leave() {
      leading = false;
      life.abort();
      lease.drop();
      await done;
    },
    take(as) {
      how = as;
      pause.wake();
    },
    cede() {
      if (!leading) return;
      leading = false;
      ceding = true;
      lease.drop();
      hooks.onLost('handover');
      pause.wake();
    },
    nudge: () => pause.wake(),
    renew() {
      if (!leading) return;
      const holder = lease.holder();
      if (holder !== null && holder !== tabId) {
        leading = false;
        hooks.onLost('lost');
        pause.wake();
      } else {
        // Late is no reason not to: nobody has taken it.
        lease.write();
      }
    },
  };
}
