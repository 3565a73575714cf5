// What the tab that leads does: it asks the server, tells the others, and gives way to one that is looked at.
import type { Heard, Message } from './message.js';
import { createPump, type Pump } from './pump.js';
import type { Place } from './seat.js';
import type { RoleChange } from './types.js';

export interface Leader {
  lead(how: RoleChange): void;
  /** Resolves when no request is under way any more. */
  stop(): Promise<void>;
  leading(): boolean;
  hear(message: Heard): void;
  /** The snapshot has changed. */
  changed(): void;
  /** Ends a pause. */
  wake(): void;
  /** Ends a pause or a request: it must be dead. */
  restart(): void;
  /** This tab's own filter has changed. */
  refilter(): void;
}

/** A tab that claimed the lead and has not taken it by then is gone. */
const cededFor = 2_000;
/** A tab says hello every 20 s, a hidden one once a minute: silent for longer, it has gone without a word. */
const forgetAfter = 180_000;

export function createLeader(place: Place): Leader {
  const { link, bus, inbox, store, telemetry } = place;
  const { env, settings } = link;
  const peers = new Map<string, { filter: string | null; visible: boolean; at: number }>();
  let life: AbortController | null = null;
  let pump: Pump | null = null;
  let running: Promise<void> = Promise.resolve();
  let beat: unknown;
  let ceded: unknown;
  /** The filter of the request that is under way. */
  let filter: string | null = null;
  /** What the others were told last. */
  let told = '';

  function alive() {
    for (const [tab, { at }] of peers) if (env.now() - at > forgetAfter) peers.delete(tab);
    return [...peers.values()];
  }

  /** One filter for all tabs, none where they differ. */
  function common(): string | null {
    const own = place.filter();
    return alive().every((peer) => peer.filter === own) ? own : null;
  }

  function state(): Message {
    const { status, cursor, attempt, nextRetryAt, lastContactAt, error } = store.get();
    const shown = error && { code: error.code, message: error.message, status: error.status };
    const visible = place.visible();
    return {
      type: 'hb',
      state: { status, cursor, attempt, nextRetryAt, lastContactAt, filter, visible, error: shown },
    };
  }

  function heartbeat() {
    env.clearTimeout(beat);
    beat = env.setTimeout(heartbeat, settings.leaderLeaseMs / 5);
    bus?.post(state());
    place.election()?.renew();
  }

  function startPump() {
    const { signal } = (life = new AbortController());
    const mine = () => !signal.aborted && place.current();
    pump = createPump(
      link,
      {
        cursor: inbox.cursor,
        filter: () => (filter = common()),
        seen: () => place.visible() || alive().some((peer) => peer.visible),
        deliver(batch, source) {
          if (!mine()) return;
          // The others first: they need not wait for this tab's listeners.
          if (batch.from !== batch.to) bus?.post({ type: 'events', filter, ...batch });
          inbox.accept(batch, source);
        },
        gap(reason, _from, to) {
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
    running = pump.run(signal);
    heartbeat();
  }

  function lead(how: RoleChange) {
    // A leader that no longer answers says nothing about the server.
    if (how === 'steal' || how === 'acquired') store.set({ status: 'connecting' });
    if (bus) bus.term += 1;
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

  function refilter() {
    // A wider one is needed at once; a narrower one can wait for the next request.
    if (filter !== null && common() !== filter) pump?.restart();
  }

  return {
    lead,
    refilter,
    leading: () => life !== null,
    wake: () => pump?.wake(),
    restart: () => pump?.restart(),
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
          peers.set(tab, { filter: message.filter, visible: message.visible, at: env.now() });
          refilter();
          if (message.visible) pump?.wake();
          bus?.post(state());
          break;
        case 'ping':
          bus?.post(state());
          break;
        case 'claim':
          if (!place.visible()) cede(tab);
          break;
        case 'poke':
          pump?.wake();
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
