// What has been patched since a fetch began: its answer doesn't know it, and is patched again when it comes.
import type { Query, QueryCacheNotifyEvent } from '@tanstack/react-query';
import type { Patch } from './patch.js';

/** A fetch that takes longer than this many events is followed by another. */
const LONGEST = 1_000;

export interface Journal {
  add(patch: Patch): void;
  began(query: Query): void;
  /** `null`: more than is remembered. */
  ended(query: Query): Patch[] | null;
}

export function createJournal(): Journal {
  let patches: Patch[] = [];
  let dropped = 0;
  const began = new Map<string, number>();
  return {
    add(patch) {
      if (!began.size) return;
      patches.push(patch);
      if (patches.length > LONGEST) {
        patches.shift();
        dropped++;
      }
    },
    began({ queryHash }) {
      if (!began.has(queryHash)) began.set(queryHash, dropped + patches.length);
    },
    ended({ queryHash }) {
      const from = began.get(queryHash);
      began.delete(queryHash);
      const since = from === undefined ? [] : from < dropped ? null : patches.slice(from - dropped);
      if (!began.size) patches = [];
      return since;
    },
  };
}

export type Outcome = 'began' | 'answered' | 'written' | 'ended' | 'nothing';

/** What a notice of the query cache means for the fetches under way. */
export function outcomeOf(notice: QueryCacheNotifyEvent): Outcome {
  if (notice.type === 'removed') return 'ended';
  if (notice.type !== 'updated') return 'nothing';
  const { action, query } = notice;
  if (action.type === 'fetch') return 'began';
  if (action.type === 'success') return action.manual ? 'written' : 'answered';
  return query.state.fetchStatus === 'idle' ? 'ended' : 'nothing';
}
