// The snapshot: replaced when something in it changes, and only then.
import type { Snapshot } from './types.js';

export interface Store {
  get(): Snapshot;
  set(change: Partial<Omit<Snapshot, 'isConnected' | 'isLeader'>>): void;
  subscribe(onChange: () => void): () => void;
}

export function createStore(
  onChange: (snapshot: Snapshot) => void,
  onThrow: (cause: unknown) => void,
): Store {
  const listeners = new Set<() => void>();
  let snapshot: Snapshot = {
    status: 'idle',
    role: 'none',
    isLeader: false,
    isConnected: false,
    transport: null,
    cursor: null,
    lastEventAt: null,
    lastContactAt: null,
    attempt: 0,
    nextRetryAt: null,
    error: null,
    solo: false,
  };

  return {
    get: () => snapshot,
    set(change) {
      const next = { ...snapshot, ...change };
      next.isLeader = next.role === 'leader';
      next.isConnected = next.status === 'live';
      const keys = Object.keys(next) as Array<keyof Snapshot>;
      if (keys.every((key) => next[key] === snapshot[key])) return;
      snapshot = next;
      onChange(next);
      for (const listener of [...listeners]) {
        try {
          listener();
        } catch (cause) {
          onThrow(cause);
        }
      }
    },
    subscribe(listener) {
      const own = () => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
  };
}
