import { createContext, useContext } from 'react';
import type { Auth, AuthSnapshot } from './types.js';

/**
 * Why the page can't be used: `expired`, the session is over; `failing`, it can't be renewed now; `offline`.
 * `signedOut`, by another tab, is only told.
 */
export type Trouble = 'expired' | 'failing' | 'signedOut' | 'offline';

export interface AuthContextValue {
  auth: Auth;
  snapshot: AuthSnapshot;
  trouble: Trouble | null;
  /** What [Try again] does. */
  tryAgain(): void;
}

export const AuthContext = createContext<AuthContextValue | null>(null);

export function useAuthContext(): AuthContextValue {
  const value = useContext(AuthContext);
  if (!value) throw new Error('Put an <AuthProvider auth={…}> above the component that uses the session.');
  return value;
}
