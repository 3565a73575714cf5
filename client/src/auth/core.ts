// The entry bellhop-client/auth/core: the session without React.
import { browserEnv } from './env.js';
import { sessionFetch, trustedOrigins } from './fetch.js';
import { SessionKeeper } from './session.js';
import type { Auth, AuthOptions } from './types.js';

export { type Connection, connectRealtime } from './connect.js';
export type { Auth, AuthEnv, AuthOptions, AuthSnapshot, AuthState, Session } from './types.js';

/** The session of this browser, one for the page: tabs agree on its token, on when it is renewed, and on its end. */
export function createAuth(options: AuthOptions): Auth {
  const env = { ...browserEnv(), ...options.env };
  // First: where it throws, nothing has begun.
  const trusted = trustedOrigins(env.origin, options.tokenOrigins);
  const session = new SessionKeeper(options, env);
  return Object.assign(session, { fetch: sessionFetch(session, env, trusted) });
}
