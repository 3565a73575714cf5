// The page around the session, as a browser has it. Nothing is touched before a session is created.
import type { Channel } from '../types.js';
import type { AuthEnv } from './types.js';

const pageEvents = new Set(['visibilitychange', 'freeze', 'resume']);

export function browserEnv(): AuthEnv {
  const window = globalThis.window as Window | undefined;
  const { navigator, document, BroadcastChannel } = globalThis as Partial<typeof globalThis>;
  return {
    wall: () => Date.now(),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
    random: () => Math.random(),
    id: () => Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join(''),
    locks: navigator?.locks ?? null,
    channel: window && BroadcastChannel ? (name) => new BroadcastChannel(name) as unknown as Channel : null,
    storage: storageOf(window),
    page: window && document && navigator ? pageOf(window, document, navigator) : null,
    fetch: (input, init) => fetch(input, init),
    onStorage: (listener) => {
      const heard = (event: StorageEvent) => listener(event.key, event.newValue);
      window?.addEventListener('storage', heard);
      return () => window?.removeEventListener('storage', heard);
    },
  };
}

function storageOf(window: Window | undefined): Storage | null {
  try {
    return window?.localStorage ?? null;
  } catch {
    return null; // blocked by the user, or an opaque origin
  }
}

function pageOf(window: Window, document: Document, navigator: Navigator): AuthEnv['page'] {
  return {
    visible: () => document.visibilityState === 'visible',
    online: () => navigator.onLine,
    listen: (type, listener) => {
      const target = pageEvents.has(type) ? document : window;
      const heard = (event: Event) => listener(event as PageTransitionEvent);
      target.addEventListener(type, heard);
      return () => target.removeEventListener(type, heard);
    },
  };
}
