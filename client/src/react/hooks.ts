import { useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { RealtimeEvent, Snapshot } from '../types.js';
import { useRealtimeClient } from './context.js';
import { wantProperty } from './scope.js';

/** What the client is doing, and `poke()` to try again now. */
export function useRealtime(): Snapshot & { poke(): void } {
  const client = useRealtimeClient();
  const snapshot = useSyncExternalStore(client.subscribe, client.getSnapshot, client.getSnapshot);
  return useMemo(() => ({ ...snapshot, poke: () => client.poke() }), [client, snapshot]);
}

/**
 * Calls `onEvents` with each batch, in the log's order: always the newest `onEvents`, and never one of a render
 * that was thrown away. Neither has to be memoised.
 */
export function useRealtimeEvents<E extends RealtimeEvent = RealtimeEvent>(
  onEvents: (events: readonly E[]) => void,
  filter?: (event: E) => boolean,
): void {
  const client = useRealtimeClient<E>();
  const latest = useRef({ onEvents, filter });
  useInsertionEffect(() => {
    latest.current = { onEvents, filter };
  });
  useEffect(
    () =>
      client.on('events', ({ events }) => {
        const { onEvents, filter } = latest.current;
        const wanted = filter ? events.filter(filter) : events;
        if (wanted.length) onEvents(wanted);
      }),
    [client],
  );
}

export interface DomainRealtimeOptions<E extends RealtimeEvent> {
  /** Events of this property and those of the whole org. Left out: all that the token permits. */
  propertyId?: string | undefined;
  /** Default true. `false`: this component gets no events; the client runs on for the others. */
  enabled?: boolean | undefined;
  onEvents?: ((events: E[]) => void) | undefined;
}

export interface DomainRealtime {
  isLeader: boolean;
  /** True in followers too: their leader hears the server. */
  isConnected: boolean;
  /** Milliseconds since 1970; of the newest event in this tab, whichever tab fetched it. */
  lastEventTime: number | null;
}

/** The whole of it in one hook, in the shape of the long-poll hooks that it takes over from. */
export function useDomainRealtime<E extends RealtimeEvent = RealtimeEvent>({
  propertyId,
  enabled = true,
  onEvents,
}: DomainRealtimeOptions<E> = {}): DomainRealtime {
  const client = useRealtimeClient<E>();
  const { isLeader, isConnected, lastEventAt } = useRealtime();
  useRealtimeEvents<E>(
    (events) => onEvents?.([...events]),
    (event) => enabled && (!propertyId || !event.propertyId || event.propertyId === propertyId),
  );
  // A component that only shows the connection's state wants no events, and so no scope.
  const wants = enabled && (onEvents !== undefined || propertyId !== undefined);
  useEffect(() => (wants ? wantProperty(client, propertyId) : undefined), [client, wants, propertyId]);
  return useMemo(
    () => ({
      isLeader: enabled && isLeader,
      isConnected: enabled && isConnected,
      lastEventTime: lastEventAt,
    }),
    [enabled, isLeader, isConnected, lastEventAt],
  );
}
