// A note in storage that says who leads, and until when.
import type { KeyStore, RealtimeEnv } from './types.js';

export interface Lease {
  /** The tab that leads, `null` where nobody does any more. */
  holder(): string | null;
  write(): void;
  /** Removes it, if it is this tab's. */
  drop(): void;
}

interface Note {
  tabId: string;
  /** By the wall clock, the only one that tabs share. */
  until: number;
}

export function createLease(
  env: RealtimeEnv,
  storage: KeyStore,
  key: string,
  tabId: string,
  ms: number,
): Lease {
  function read(): Note | null {
    try {
      return JSON.parse(storage.getItem(key) ?? 'null');
    } catch {
      // What can't be read binds nobody.
      return null;
    }
  }

  return {
    holder() {
      const note = read();
      const left = (note?.until ?? 0) - env.wall();
      // One from the future was written before the clock was set back: it would hold for who knows how long. And
      // what is no lease has no such number.
      return note && left > 0 && left <= ms ? note.tabId : null;
    },
    write() {
      try {
        storage.setItem(key, JSON.stringify({ tabId, until: env.wall() + ms } satisfies Note));
      } catch {
        // Full: the others will see no lease, and ask by ping before they believe it.
      }
    },
    drop() {
      try {
        if (read()?.tabId === tabId) storage.removeItem(key);
      } catch {
        // As above.
      }
    },
  };
}
