// Ids of the last events, to drop one that comes twice.

export interface Seen {
  /** True where `id` was there already; it is there from now on. */
  has(id: string): boolean;
  clear(): void;
}

export function createSeen(size: number): Seen {
  // A Set keeps the order of insertion: its first member is the oldest.
  const ids = new Set<string>();
  return {
    has(id) {
      if (ids.has(id)) return true;
      ids.add(id);
      if (ids.size > size) ids.delete(ids.values().next().value as string);
      return false;
    },
    clear: () => ids.clear(),
  };
}
