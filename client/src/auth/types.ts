// The public types of the session. How tabs talk about it stands in docs/auth.md.
import type { RealtimeEnv, RetryOptions } from '../types.js';

/** What a sign-in or a refresh gives. */
export interface Session {
  /** Goes into `Authorization: Bearer …`: printable ASCII without spaces. */
  accessToken: string;
  /** This browser's clock, milliseconds since 1970: `Date.now() + 1000 * expires_in`, not the server's own time. */
  expiresAt: number;
  userId: string;
  orgId: string;
  /** Names this sign-in; it lies in localStorage, so it must not be a secret. */
  sid: string;
}

/**
 * - `anonymous`: nobody has signed in in this browser
 * - `active`: there is a token
 * - `refreshing`: there is a session; its token is being fetched, or will be at the next attempt
 * - `expired`: the session is over, `login()` begins another
 * - `loggedOut`: `logout()` here or in another tab
 */
export type AuthState = 'anonymous' | 'active' | 'refreshing' | 'expired' | 'loggedOut';

/** The same object until something changes. */
export interface AuthSnapshot {
  state: AuthState;
  expiresAt: number | null;
  /** Refreshes that failed in a row, whichever tab tried. */
  failures: number;
  /** The user has to be told: `expired`, or failed `bannerAfterFailures` times. */
  blocked: boolean;
  /** `loggedOut` by another tab. */
  elsewhere: boolean;
}

export interface AuthOptions {
  /**
   * Fetches a new token, one tab at a time. Throw a `Response` or an error with `status` 401 when the session is
   * over; whatever else it throws is tried again.
   */
  refresh(signal: AbortSignal): Promise<Session>;
  /** Where [Log in] goes. Left out: it reloads the page. */
  login?: string;
  /** Told of a logout: a URL gets a POST with cookies, without the token; a function gets the session that ends. */
  logout?: string | ((session: Session | null) => unknown);
  /**
   * `memory` (default): the token stays in the page, a reload calls `refresh()`. `local`: it lies in localStorage,
   * where every script of the origin can read it.
   */
  storage?: 'memory' | 'local';
  /**
   * Origins beside the page's own that `fetch` sends the token to: `['https://api.example']`. Default: none. Name
   * none that isn't yours: who gets the token can do what the user can.
   */
  tokenOrigins?: readonly string[];
  /** A token is renewed this long before it expires, but not before two thirds of its life: 30,000. */
  refreshSkewMs?: number;
  /** `refresh()` is given up after 10,000. */
  refreshTimeoutMs?: number;
  /** The wait for other tabs' refreshes: 15,000. */
  lockTimeoutMs?: number;
  /** The waits after a failed refresh: 2 s, 4 s, … 60 s, each ± 20 %. */
  retry?: RetryOptions;
  /** 2 */
  bannerAfterFailures?: number;
  env?: Partial<AuthEnv>;
}

/** All functions may be passed on by themselves: `getToken: auth.getToken`. */
export interface Auth {
  /** The token to send now, renewed first if it has expired; `null`: send no `Authorization`. */
  getToken(): Promise<string | null>;
  /** The token now, whatever its age. To send one, ask `getToken()`. */
  peekToken(): string | null;
  /** The server refused `failed`. `true`: there is another, try again. */
  onUnauthorized(failed: string): Promise<boolean>;
  login(session: Session): void;
  /** Ends the session in all tabs. What it does to this one is done when it returns. */
  logout(reason?: string): void;
  /** Tries the next refresh now. */
  retry(): void;
  /** Names user and org; `null` when nobody is signed in. */
  sessionKey(): string | null;
  /**
   * `fetch` with the token, renewed and sent again after a 401, and given up at logout. The token goes to the page's
   * own origin and to `tokenOrigins`; to any other, the request goes without it.
   */
  fetch: typeof fetch;
  /** Aborted when the session's user goes: by a logout, or by another user's login. */
  signal(): AbortSignal;
  getSnapshot(): AuthSnapshot;
  subscribe(onChange: () => void): () => void;
  /** No timer, channel or listener is left. It signs nobody out. */
  close(): void;
  readonly loginUrl: string | undefined;
}

/** The page around the session. */
export interface AuthEnv
  extends Pick<
    RealtimeEnv,
    'wall' | 'setTimeout' | 'clearTimeout' | 'random' | 'id' | 'locks' | 'channel' | 'storage' | 'page'
  > {
  fetch: typeof fetch;
  /** The page's own origin. */
  origin: string | undefined;
  /** The absolute URL, as `fetch` takes it. */
  resolve(url: string | URL): string;
  /** Calls back when another tab has changed localStorage. */
  onStorage(listener: (key: string | null, value: string | null) => void): () => void;
}
