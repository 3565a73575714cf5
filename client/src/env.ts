// What a browser offers, found when a client is made and never at import.
import type { Channel, KeyStore, Locks, Page, PageEvent, RealtimeEnv } from './types.js';

type Surroundings = {
  navigator?: { locks?: Locks; onLine?: boolean };
  document?: Document;
  BroadcastChannel?: new (name: string) => Channel;
  localStorage?: KeyStore;
  addEventListener?: EventTarget['addEventListener'];
  removeEventListener?: EventTarget['removeEventListener'];
};

const here = globalThis as unknown as Surroundings;

export function browserEnv(over: Partial<RealtimeEnv> = {}): RealtimeEnv {
  const Broadcast = here.BroadcastChannel;
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
    random: () => Math.random(),
    id: randomId,
    locks: here.navigator?.locks ?? null,
    channel: Broadcast ? (name) => new Broadcast(name) : null,
    storage: usableStorage(),
    page: here.document ? pageOf(here.document) : null,
    ...over,
  };
}

/** To tell tabs apart, not to keep a secret. */
function randomId(): string {
  return Array.from('abc', () => Math.random().toString(36).slice(2)).join('');
}

/** Merely reading `localStorage` throws where cookies are blocked, and writing throws where it is full. */
function usableStorage(): KeyStore | null {
  try {
    const storage = here.localStorage;
    storage?.setItem('bellhop-probe', '1');
    storage?.removeItem('bellhop-probe');
    return storage ?? null;
  } catch {
    return null;
  }
}

function pageOf(document: Document): Page {
  const ofDocument: PageEvent[] = ['visibilitychange', 'freeze', 'resume'];
  return {
    visible: () => document.visibilityState !== 'hidden',
    online: () => here.navigator?.onLine !== false,
    listen(type, listener) {
      const target = (ofDocument.includes(type) ? document : here) as EventTarget;
      const heard = (event: Event) => listener(event as PageTransitionEvent);
      target.addEventListener(type, heard);
      return () => target.removeEventListener(type, heard);
    },
  };
}
