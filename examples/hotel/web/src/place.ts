// The page's address: / is the door, /tasks the board, with its filter.
import { useCallback, useSyncExternalStore } from 'react';
import type { Filter } from './types';

const listeners = new Set<() => void>();
const tell = (): void => listeners.forEach((listener) => listener());

function listen(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('popstate', listener);
  };
}

const here = (): string => location.pathname + location.search;

export function go(to: string): void {
  if (to === here()) return;
  history.pushState(null, '', to);
  tell();
}

export const filterIn = (address: string): Filter => {
  const query = new URL(address, location.origin).searchParams;
  return { property: query.get('property') ?? '', assignee: query.get('for') ?? '' };
};

export const usePath = (): string => useSyncExternalStore(listen, () => location.pathname);

export function useFilter(): [Filter, (change: Partial<Filter>) => void] {
  const address = useSyncExternalStore(listen, here);
  const filter = filterIn(address);
  const change = useCallback((part: Partial<Filter>) => {
    const next = { ...filterIn(here()), ...part };
    const query = new URLSearchParams();
    if (next.property) query.set('property', next.property);
    if (next.assignee) query.set('for', next.assignee);
    go(`/tasks${query.size > 0 ? `?${query}` : ''}`);
  }, []);
  return [filter, change];
}
