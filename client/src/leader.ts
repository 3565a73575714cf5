// What the tab that leads does: it asks the server, tells the others, and gives way to one that is looked at.
import type { Message } from './message.js';
import { createPump, type Pump } from './pump.js';
import type { Part, Place } from './seat.js';
import type { RoleChange } from './types.js';

/** A tab that claimed the lead and has not taken it by then is gone. */
const cededFor = 2_000;
/** A tab says hello every 20 s, a hidden one once a minute: silent for longer, it has gone without a word. */
const forgetAfter = 180_000;

export function createLeader(place: Place): Part {
  const { link, bus, inbox, store, telemetry } = place;
  const { env, settings } = link;
  const peers = new Map<string, { visible: boolean; at: number }>();
  let life: AbortController | null = null;
  let pump: Pump | null = null;
  let running: Promise<void> = Promise.resolve();
  let beat: unknown;
  let ceded: unknown;
  /** What the others were told last. */
  let told = '';

  /** A tab of the session is looked at. */
  function seen(): boolean {
    const since = env.now() - forgetAfter;
    return place.visible() || [...peers.values()].some(({ visible, at }) => visible && at > since);
  }

  function state(): Message {
    const snapshot = store.get();
    const { error: e } = snapshot;
    // An error's own members would not come through.
    const error = e && { code: e.code, message: e.message, status: e.status };
    return { type: 'hb', state: { ...snapshot, error, visible: place.visible() } };
  }

  function heartbeat() {
    env.clearTimeout(beat);
    beat = env.setTimeout(heartbeat, settings.leaderLeaseMs / 5);
    bus?.post(state());
    place.election()?.renew();
  }

  function startPump() {
    life = new AbortController();
    const { signal } = life;
    const mine = () => !signal.aborted && place.current();
    pump = createPump(
      link,
      {
        cursor: inbox.cursor,
        seen,
        deliver(batch, source) {
          if (!mine()) return;
          // The others first: they need not wait for this tab's listeners.
          if (batch.from !== batch.to) bus?.post({ type: 'events', ...batch });
          inbox.accept(batch, source);
        },
        gap(reason, to) {
          if (!mine()) return;
          telemetry('gap', { reason });
          // The first cursor is news to this tab only.
          if (reason !== 'first') bus?.post({ type: 'gap', to, reason });
          inbox.gap(reason, to);
        },
      },
      store,
      telemetry,
    );
    heartbeat();
    running = pump.run(signal);
  }

  function poke() {
    pump?.wake();
  }

  function start(how: RoleChange) {
    telemetry(how === 'acquired' ? 'leader_acquired' : 'leader_takeover', { how });
    startPump();
  }

  /** Stops asking, and leaves the lead to `to`; goes on if it isn't taken. */
  function cede(to: string) {
    if (!pump) return;
    life?.abort();
    pump = null;
    env.clearTimeout(beat);
    bus?.post({ type: 'yield', to });
    ceded = env.setTimeout(startPump, cededFor);
    place.election()?.cede();
  }

  return {
    start,
    poke,
    resume: () => pump?.restart(),
    visibilityChanged() {
      poke();
      bus?.post(state());
    },
    changed() {
      const { status, attempt } = store.get();
      if (!pump || told === status + attempt) return;
      told = status + attempt;
      heartbeat();
    },
    stop() {
      env.clearTimeout(beat);
      env.clearTimeout(ceded);
      life?.abort();
      life = pump = null;
      return running;
    },
    hear(message) {
      const { tab } = message;
      switch (message.type) {
        case 'hello':
          peers.set(tab, { visible: message.visible, at: env.now() });
          if (message.visible) poke();
          bus?.post(state());
          break;
        case 'ping':
          bus?.post(state());
          break;
        case 'claim':
          if (!place.visible()) cede(tab);
          break;
        case 'poke':
          poke();
          break;
        case 'bye':
          peers.delete(tab);
          break;
        case 'hb':
          // Another leader: by the lease, one of the two is none.
          place.election()?.renew();
      }
    },
  };
}
