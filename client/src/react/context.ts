// The client that components share, and how long it runs: from the first mounted provider to the last.
import { createContext, useContext } from 'react';
import type { RealtimeClient, RealtimeEvent } from '../types.js';

/** What is left of a RealtimeClient when nobody asks which events it carries. */
export type AnyClient = RealtimeClient<RealtimeEvent>;

export const RealtimeContext = createContext<AnyClient | null>(null);

/** The client of the nearest RealtimeProvider. */
export function useRealtimeClient<E extends RealtimeEvent = RealtimeEvent>(): RealtimeClient<E> {
  const client = useContext(RealtimeContext);
  if (!client)
    throw new Error('Put a <RealtimeProvider client={…}> above the component that uses realtime hooks.');
  return client as unknown as RealtimeClient<E>;
}

const users = new WeakMap<AnyClient, number>();

/**
 * Starts the client with its first user and stops it after the last. The stop waits for a turn of the event loop:
 * StrictMode and fast refresh unmount and mount again at once, and must not cost the leader its lock.
 */
export function keepRunning(client: AnyClient): () => void {
  count(client, 1);
  client.start();
  return () => {
    count(client, -1);
    setTimeout(() => {
      if (!users.get(client)) client.stop('unmounted');
    });
  };
}

function count(client: AnyClient, by: number): void {
  users.set(client, (users.get(client) ?? 0) + by);
}
