// Listeners by type. One that throws neither stops the others nor who emits.

export interface Emitter<Events> {
  on<K extends keyof Events>(type: K, listener: (event: Events[K]) => void, signal?: AbortSignal): () => void;
  emit<K extends keyof Events>(type: K, event: Events[K]): void;
}

export function createEmitter<Events>(
  onThrow: (type: keyof Events, cause: unknown) => void,
): Emitter<Events> {
  const all = new Map<keyof Events, Set<(event: never) => void>>();
  return {
    on(type, listener, signal) {
      const own = (event: Parameters<typeof listener>[0]) => listener(event);
      const set = all.get(type) ?? new Set();
      all.set(type, set);
      const off = () => {
        set.delete(own);
        signal?.removeEventListener('abort', off);
      };
      if (!signal?.aborted) {
        set.add(own);
        signal?.addEventListener('abort', off);
      }
      return off;
    },
    emit(type, event) {
      const set = all.get(type) ?? new Set();
      for (const listener of [...set]) {
        if (!set.has(listener)) continue;
        try {
          (listener as (event: unknown) => void)(event);
        } catch (cause) {
          onThrow(type, cause);
        }
      }
    },
  };
}
