// What the tab that leads does: it asks the server, tells the others, and gives way to one that is looked at.
import type { Heard, LeaderState } from './message.js';
import { createPeers } from './peers.js';
import { type Contact, createPump, type Pump } from './pump.js';
import { createRing } from './ring.js';
import type { Place } from './seat.js';
import type { RoleChange } from './types.js';

export interface Leader {
  lead(how: RoleChange): void;
  /** Resolves when no request is under way any more. */
  stop(): Promise<void>;
  leading(): boolean;
  hear(message: Heard): void;
  /** Ends a pause. */
  wake(): void;
  /** Ends a pause or a request: it must be dead. */
  restart(): void;
  /** This tab's own filter has changed. */
  refilter(): void;
}

/** A tab that claimed the lead and has not taken it by then is gone. */
const cededFor = 2_000;

export function createLeader(place: Place): Leader {
  const { link, bus, inbox, store, telemetry } = place;
  const { env, settings } = link;
  const peers = createPeers(env.now);
  const ring = createRing();
  let life: AbortController | null = null;
  let pump: Pump | null = null;
  let running: Promise<void> = Promise.resolve();
  let beat: unknown;
  let ceded: unknown;
  /** The filter of the request that is under way. */
  let filter: string | null = null;
  let contact: Contact;

  function state(): LeaderState {
    const { status, attempt, nextRetryAt, lastContactAt, error } = contact;
    return {
      status,
      cursor: inbox.cursor(),
      filter,
      visible: place.visible(),
      attempt,
      nextRetryAt,
      lastContactAt,
      error: error && { code: error.code, message: error.message, status: error.status },
    };
  }

  function heartbeat() {
    env.clearTimeout(beat);
    if (!life) return;
    beat = env.setTimeout(heartbeat, settings.leaderLeaseMs / 5);
    bus?.post({ type: 'hb', state: state() });
    place.election()?.renew();
  }

  function report(next: Contact) {
    const told = contact.status === next.status && contact.attempt === next.attempt;
    contact = next;
    store.set({ ...next, cursor: inbox.cursor() });
    if (!told) heartbeat();
  }

  function wanted(): string | null {
    return peers.filter(place.filter());
  }

  function startPump(signal: AbortSignal) {
    const hooks = {
      cursor: inbox.cursor,
      propertyId() {
        const now = wanted();
        if (now !== filter) ring.clear();
        filter = now;
        return now ?? undefined;
      },
      seen: () => place.visible() || peers.anyVisible(),
      report,
      failed: place.onError,
      invalid: place.onError,
      deliver: ((batch, source) => {
        if (signal.aborted || !place.current()) return;
        // The others first: they need not wait for this tab's listeners.
        if (batch.from !== batch.to) {
          bus?.post({ type: 'events', filter, ...batch });
          ring.push(batch);
        }
        inbox.accept(batch, source);
        store.set({ cursor: inbox.cursor() });
      }) satisfies Parameters<typeof createPump>[1]['deliver'],
      gap: ((reason, from, to) => {
        if (signal.aborted || !place.current()) return;
        ring.clear();
        telemetry.send('gap', { reason });
        // The first cursor is news to this tab only.
        if (reason !== 'first') bus?.post({ type: 'gap', from, to, reason });
        inbox.gap(reason, to);
        store.set({ cursor: inbox.cursor() });
      }) satisfies Parameters<typeof createPump>[1]['gap'],
    };
    pump = createPump(link, hooks, telemetry, contact);
    running = pump.run(signal);
  }

  function lead(how: RoleChange) {
    const { status, transport, attempt, lastContactAt, error } = store.get();
    life = new AbortController();
    // A leader that no longer answers says nothing about the server.
    const known = how === 'takeover' || how === 'handover';
    contact = {
      status: known ? status : 'connecting',
      transport,
      attempt,
      nextRetryAt: null,
      lastContactAt,
      error,
    };
    if (bus) bus.term += 1;
    bus?.post({ type: 'leader', how, state: state() });
    telemetry.send(how === 'acquired' ? 'leader_acquired' : 'leader_takeover', { how });
    startPump(life.signal);
    heartbeat();
  }

  function stop(): Promise<void> {
    env.clearTimeout(beat);
    env.clearTimeout(ceded);
    life?.abort();
    life = pump = null;
    ring.clear();
    return running;
  }

  /** Stops asking, and leaves the lead to `tabId`; goes on if it isn't taken. */
  function cede(tabId: string) {
    const own = life;
    if (!own || own.signal.aborted) return;
    own.abort();
    pump = null;
    bus?.post({ type: 'yield', to: tabId });
    ceded = env.setTimeout(() => {
      if (life !== own) return;
      life = new AbortController();
      startPump(life.signal);
      heartbeat();
    }, cededFor);
    place.election()?.cede();
  }

  function refilter() {
    // A wider one is needed at once; a narrower one can wait for the next request.
    if (wanted() !== filter && filter !== null) pump?.restart();
  }

  return {
    lead,
    stop,
    leading: () => life !== null,
    wake: () => pump?.wake(),
    restart: () => pump?.restart(),
    refilter,
    hear(message) {
      switch (message.type) {
        case 'hello':
          peers.hear(message.tab, message.filter, message.visible);
          refilter();
          if (message.visible) pump?.wake();
          bus?.post({ type: 'hb', state: state() });
          break;
        case 'ping':
          bus?.post({ type: 'pong', state: state() });
          break;
        case 'ask': {
          const covered = filter === null || filter === message.filter;
          const batch = covered ? ring.since(message.from) : null;
          if (batch) bus?.post({ type: 'fill', for: message.tab, ...batch });
          break;
        }
        case 'claim':
          if (!place.visible()) cede(message.tab);
          break;
        case 'poke':
          pump?.wake();
          break;
        case 'bye':
          peers.gone(message.tab);
          break;
        case 'leader':
        case 'hb':
          place.election()?.renew();
          break;
      }
    },
  };
}
