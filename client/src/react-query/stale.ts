import { useSyncExternalStore } from 'react';
import { useRealtimeClient } from '../react/context.js';

/** A `staleTime`: `live` while events keep the cache new, `degraded` while they don't. */
export function useLiveStaleTime(live = 25_000, degraded = 10_000): number {
  const client = useRealtimeClient();
  const connected = () => client.getSnapshot().isConnected;
  return useSyncExternalStore(client.subscribe, connected, connected) ? live : degraded;
}
