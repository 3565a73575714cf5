import {
  createElement,
  Fragment,
  type ReactElement,
  type ReactNode,
  useCallback,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react';
import { type Connection, connectRealtime } from './connect.js';
import { AuthContext, type Trouble, useAuthContext } from './context.js';
import type { Auth, AuthSnapshot } from './types.js';

export interface AuthProviderProps {
  auth: Auth;
  /** Cleared when the session's user goes: the next one sees none of their rows. */
  queryClient?: { clear(): void } | undefined;
  /** Told of the session's changes, and asked whether the server can be reached. */
  realtime?: Connection | undefined;
  /** How long the browser has to be offline before the user is told: 5,000. */
  offlineGraceMs?: number | undefined;
  children?: ReactNode;
}

/** The session for the components below. When its user goes, they are made anew: no field or list stays filled. */
export function AuthProvider(props: AuthProviderProps): ReactElement {
  const { auth, queryClient, realtime, offlineGraceMs, children } = props;
  const snapshot = useSyncExternalStore(auth.subscribe, auth.getSnapshot, auth.getSnapshot);
  const users = useUsers(auth, queryClient);
  const cutOff = useOffline(offlineGraceMs ?? 5_000);
  const unreachable = useUnreachable(realtime);
  useEffect(() => realtime && connectRealtime(auth, realtime), [auth, realtime]);
  const trouble = troubleOf(snapshot, cutOff || unreachable);
  const value = useMemo(
    () => ({
      auth,
      snapshot,
      trouble,
      tryAgain() {
        auth.retry();
        realtime?.poke();
      },
    }),
    [auth, snapshot, trouble, realtime],
  );
  return createElement(AuthContext.Provider, { value }, createElement(Fragment, { key: users }, children));
}

function troubleOf({ state, blocked, elsewhere }: AuthSnapshot, offline: boolean): Trouble | null {
  if (state === 'expired') return 'expired';
  if (offline) return 'offline'; // no refresh can succeed either
  if (blocked) return 'failing';
  return state === 'loggedOut' && elsewhere ? 'signedOut' : null;
}

/** Counts the users that have gone, and clears the cache after each, before anything else can happen. */
function useUsers(auth: Auth, queryClient: AuthProviderProps['queryClient']): number {
  const [gone, setGone] = useState(0);
  useEffect(() => {
    let watched: AbortSignal | undefined;
    const leave = () => {
      queryClient?.clear();
      setGone((n) => n + 1);
    };
    const watch = () => {
      const signal = auth.signal();
      if (signal === watched) return;
      watched?.removeEventListener('abort', leave);
      watched = signal;
      signal.addEventListener('abort', leave);
    };
    watch();
    if (watched?.aborted) queryClient?.clear(); // between the first render and this
    const off = auth.subscribe(watch);
    return () => {
      off();
      watched?.removeEventListener('abort', leave);
    };
  }, [auth, queryClient]);
  return gone;
}

/** The browser has said so for a while. */
function useOffline(graceMs: number): boolean {
  const [offline, setOffline] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      clearTimeout(timer);
      if (navigator.onLine) setOffline(false);
      else timer = setTimeout(() => setOffline(true), graceMs);
    };
    look();
    addEventListener('online', look);
    addEventListener('offline', look);
    return () => {
      clearTimeout(timer);
      removeEventListener('online', look);
      removeEventListener('offline', look);
    };
  }, [graceMs]);
  return offline;
}

const never = () => () => {};

/** The browser may say that it is online, and nothing gets through. The client has waited a while by itself. */
function useUnreachable(realtime: Connection | undefined): boolean {
  const unreachable = useCallback(() => realtime?.getSnapshot().status === 'offline', [realtime]);
  return useSyncExternalStore(realtime?.subscribe ?? never, unreachable, unreachable);
}

/** The session's state and its two verbs. To send the token, ask `auth.getToken()`: this one may be old by then. */
export function useAuth(): AuthSnapshot & Pick<Auth, 'login' | 'logout'> & { token: string | null } {
  const { auth, snapshot } = useAuthContext();
  const token = auth.peekToken();
  return useMemo(
    () => ({ ...snapshot, token, login: auth.login, logout: auth.logout }),
    [auth, snapshot, token],
  );
}
