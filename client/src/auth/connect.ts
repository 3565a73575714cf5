import type { RealtimeClient, RealtimeEvent } from '../types.js';
import type { Auth } from './types.js';

/** Of a RealtimeClient, whatever its events, what a session needs. */
export type Connection = Pick<RealtimeClient<RealtimeEvent>, 'poke' | 'subscribe' | 'getSnapshot'>;

/**
 * Lets the client know of a new token, of a logout and of another user at once; it would find out by itself within
 * some seconds. Until the function that it returns is called. AuthProvider does it for its `realtime`.
 */
export function connectRealtime(auth: Auth, client: Pick<Connection, 'poke'>): () => void {
  const state = () => `${auth.sessionKey()} ${auth.peekToken()}`;
  let known = state();
  return auth.subscribe(() => {
    const before = known;
    known = state();
    if (known !== before) client.poke();
  });
}
