// The snapshot: replaced when something in it changes, and only then.
import type { Snapshot } from './types.js';

export interface Store {
  get(): Snapshot;
  set(change: Partial<Snapshot>): void;
}

/** No failure, or none any more. */
export const untroubled = { attempt: 0, nextRetryAt: null, error: null } as const;

export function createStore(onChange: (snapshot: Snapshot) => void): Store {
  let snapshot: Snapshot = {
    status: 'idle',
    role: 'none',
    isLeader: false,
    isConnected: false,
    transport: null,
    cursor: null,
    lastEventAt: null,
    lastContactAt: null,
    ...untroubled,
    solo: false,
  };
  let telling = false;
  return {
    get: () => snapshot,
    set(change) {
      const next = { ...snapshot, ...change };
      next.isLeader = next.role === 'leader';
      next.isConnected = next.status === 'live';
      if ((Object.keys(next) as Array<keyof Snapshot>).every((key) => next[key] === snapshot[key])) return;
      snapshot = next;
      // A change that a listener makes is told after this one, or others would hear of it before.
      if (telling) return;
      telling = true;
      for (let told: Snapshot | undefined; told !== snapshot; onChange(told)) told = snapshot;
      telling = false;
    },
  };
}
