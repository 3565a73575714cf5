// What one tab knows of the session that all tabs share: whose it is, its token, how its renewal fares.
import type { Bus } from './bus.js';
import type { SharedStore } from './store.js';
import type { AuthEnv, AuthOptions, AuthSnapshot, AuthState, Session } from './types.js';

export interface Surroundings {
  env: AuthEnv;
  store: SharedStore;
  bus: Bus;
  options: Pick<AuthOptions, 'bannerAfterFailures' | 'retry'>;
}

/** No refresh has failed, none is under way. */
const untroubled = { failures: 0, retryAt: 0, elsewhere: false };

export class SessionState {
  /** Goes up when a session begins or ends: what was under way for an older one is discarded. */
  gen = 0;
  /** `null`: there is no session, or it is over. */
  sid: string | null = null;
  session: Session | null = null;
  /** Names the token among tabs without telling it. */
  rev = '';
  /** When this tab came by the token, by the wall clock. */
  since = 0;
  /** The token that the server has refused, and how many new ones it has refused in a row. */
  refused = '';
  refusals = 0;
  /** Refreshes that failed in a row, and until when none is tried. */
  failures = 0;
  retryAt = 0;
  /** Another tab has begun to refresh, and not yet said how it went. */
  elsewhere = false;

  readonly around: Surroundings;
  /** Whose session it is, or was until it expired. */
  #owner: string | null = null;
  #user = new AbortController();
  #snapshot: AuthSnapshot;
  readonly #listeners = new Set<() => void>();

  constructor(around: Surroundings) {
    this.around = around;
    this.#snapshot = this.#shown('anonymous', false);
  }

  readonly getSnapshot = (): AuthSnapshot => this.#snapshot;

  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#listeners.add(onChange);
    return () => this.#listeners.delete(onChange);
  };

  readonly signal = (): AbortSignal => this.#user.signal;

  readonly sessionKey = (): string | null => this.session && ownerOf(this.session);

  readonly peekToken = (): string | null => this.session?.accessToken ?? null;

  /** Infinity for a copy in storage that says nothing. */
  expiry(): number {
    return Math.min(this.session?.expiresAt ?? 0, this.around.store.expiry());
  }

  fresh(): boolean {
    const token = this.peekToken();
    return token !== null && token !== this.refused && this.around.env.wall() < this.expiry();
  }

  /** A refresh may be tried: there is a session, and no wait after a failure. */
  due(): boolean {
    return this.sid !== null && !this.waits(this.retryAt);
  }

  /** Not where the wait is longer than any after a failure: then the clock was set back. */
  waits(until: number): boolean {
    const { env, options } = this.around;
    const left = until - env.wall();
    return left > 0 && left < 2 * (options.retry?.maxMs ?? 60_000) + 5_000;
  }

  /** `announce`: it was come by here, the other tabs are told. */
  adopt(session: Session, rev: string, announce: boolean): void {
    const { env, store, bus } = this.around;
    const { sid } = session;
    const owner = ownerOf(session);
    const another = this.sid !== sid;
    if (this.#owner !== null && this.#owner !== owner) this.#leave('Another login');
    if (this.#user.signal.aborted) this.#user = new AbortController();
    this.#owner = owner;
    Object.assign(this, untroubled, { sid, session, rev, since: env.wall() });
    if (announce) {
      store.write(session, rev);
      if (another) bus.post({ type: 'login', sid });
      bus.post({ type: 'token', sid, rev, session, kept: !store.full });
    }
    this.become('active');
  }

  /** Another tab came by it. */
  take(session: Session, rev: string, kept = true): void {
    const { store } = this.around;
    store.full = !kept;
    store.outdate();
    this.adopt(session, rev, false);
  }

  /** Another tab has signed in, or did before this page was loaded. */
  follow(sid: string): void {
    // Whose it is shows when the token comes. Until then an expired session's user is taken to be back.
    if (this.session) this.#leave('Another login');
    this.#forget();
    this.sid = sid;
    this.become('refreshing');
  }

  /** Nothing in here waits: when it returns, no request of the session is under way in this tab. */
  end(reason: string | undefined, elsewhere: boolean, announce?: () => void): void {
    this.#forget();
    this.#leave(reason ?? 'Signed out');
    announce?.();
    this.become('loggedOut', elsewhere);
  }

  /** The user stays the same, and so does what they see, until somebody signs in. */
  expire(): void {
    this.#forget();
    this.become('expired');
  }

  /**
   * What storage says of the session: a tab that slept, or is quicker than a message, hasn't heard it. `told`: the
   * one that another tab says it has begun; where two begin at once, storage alone knows which came last.
   */
  recheck(told?: string): void {
    const { store } = this.around;
    const shared = store.read();
    const sid = shared ? shared.sid : told;
    if (sid) {
      if (sid !== this.sid) this.follow(sid);
    } else if (shared === null && this.sid) {
      if (store.over() === this.sid) this.expire();
      else this.end(undefined, true);
    }
  }

  become(state: AuthState, elsewhere = false): void {
    this.#snapshot = this.#shown(state, elsewhere);
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (cause) {
        // The application's mistake ends no logout and no refresh. It is reported as any that nobody catches.
        queueMicrotask(() => {
          throw cause;
        });
      }
    }
  }

  close(): void {
    this.gen++;
    this.sid = null;
    this.#listeners.clear();
  }

  #forget(): void {
    this.gen++;
    Object.assign(this, untroubled, { sid: null, session: null, rev: '', refused: '', refusals: 0 });
  }

  #leave(reason: string): void {
    this.#owner = null;
    this.#user.abort(new DOMException(reason, 'AbortError'));
  }

  #shown(state: AuthState, elsewhere: boolean): AuthSnapshot {
    const { failures, session } = this;
    const blocked = state === 'expired' || failures >= (this.around.options.bannerAfterFailures ?? 2);
    return { state, expiresAt: session?.expiresAt ?? null, failures, blocked, elsewhere };
  }
}

function ownerOf({ userId, orgId }: Session): string {
  return `${encodeURIComponent(orgId)}/${encodeURIComponent(userId)}`;
}
