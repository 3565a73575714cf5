// One tab's view of the session that all tabs share: its token, how it is renewed, how it ends.
import { backoff } from '../backoff.js';
import { Bus } from './bus.js';
import { inTurn } from './mutex.js';
import { checkedSession, EXPIRY, fields, LOGOUT, parsed, SharedStore, text } from './store.js';
import type { AuthEnv, AuthOptions, AuthSnapshot, AuthState, Session } from './types.js';

/** Other tabs answer `ask` within this, or the token is fetched anew. */
const ASK_MS = 200;
/** What one tab has written to storage, the others read within this. */
const LAG_MS = 100;
/** The tab that failed tries again first; the others look after it this much later. */
const WATCH_MS = 2_000;
/** A token that is refused this soon after it came was refused from the start. */
const YOUTH_MS = 10_000;
/** Timers can't be longer than 2^31 ms. */
const DAY_MS = 86_400_000;

export class SessionKeeper {
  readonly loginUrl: string | undefined;
  readonly #o: AuthOptions;
  readonly #env: AuthEnv;
  readonly #store: SharedStore;
  readonly #bus: Bus;
  readonly #off: (() => void)[] = [];
  readonly #listeners = new Set<() => void>();

  /** Goes up when the session ends or begins: what was under way for an older one is discarded. */
  #gen = 0;
  #sid: string | null = null;
  #session: Session | null = null;
  #rev = '';
  /** Since when there is this token, and whose it was last. */
  #since = 0;
  #owner: string | null = null;
  #user = new AbortController();
  #state: AuthState = 'anonymous';
  #elsewhere = false;
  #failures = 0;
  #retryAt = 0;
  /** A token that the server refused, and how many new ones it has refused in a row. */
  #refused = '';
  #refusals = 0;
  #renewing: Promise<void> | null = null;
  #attempt: AbortController | null = null;
  #timer: unknown;
  #closed = false;
  #snapshot: AuthSnapshot;

  constructor(options: AuthOptions, env: AuthEnv) {
    this.#o = options;
    this.#env = env;
    this.loginUrl = options.login;
    this.#store = new SharedStore(env.storage, options.storage === 'local');
    this.#bus = new Bus(env, (message) => this.#heard(message));
    this.#listen();
    this.#snapshot = this.#shown();
    const shared = this.#store.read();
    if (shared?.session) this.#adopt(shared.session, shared.rev, false);
    else if (shared) this.#follow(shared.sid);
  }

  readonly getSnapshot = (): AuthSnapshot => this.#snapshot;

  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#listeners.add(onChange);
    return () => this.#listeners.delete(onChange);
  };

  readonly signal = (): AbortSignal => this.#user.signal;

  readonly sessionKey = (): string | null => this.#session && ownerOf(this.#session);

  readonly peekToken = (): string | null => this.#session?.accessToken ?? null;

  readonly getToken = async (): Promise<string | null> => {
    if (!this.#fresh() && this.#due()) await this.#renew();
    return this.#fresh() ? this.peekToken() : null;
  };

  readonly onUnauthorized = async (failed: string): Promise<boolean> => {
    if (this.peekToken() === failed && this.#due()) {
      this.#refused = failed;
      this.#refusals = this.#env.wall() - this.#since < YOUTH_MS ? this.#refusals + 1 : 1;
      // A new token that is refused at once: the server takes none. Don't fetch one after another.
      if (this.#refusals > 1) this.#fail(this.#refusals - 1);
      else await this.#renew();
    }
    return this.#fresh() && this.peekToken() !== failed;
  };

  /** The server took the token. */
  readonly accepted = (): void => {
    this.#refusals = 0;
  };

  readonly login = (session: Session): void => {
    const checked = checkedSession(session);
    if (!checked) throw new TypeError('login() needs { accessToken, expiresAt, userId, orgId, sid }');
    this.#gen++;
    this.#attempt?.abort();
    this.#adopt(checked, this.#env.id(), true);
  };

  readonly logout = (reason?: string): void => {
    const { logout } = this.#o;
    const ended = this.#session;
    const sid = this.#sid;
    this.#end(reason, false, () => {
      if (!sid) return;
      this.#bus.post({ type: 'logout', sid, gen: this.#gen, reason });
      this.#store.clear();
      this.#store.announceLogout(sid, this.#env.wall());
    });
    if (typeof logout === 'function') logout(ended);
    else if (logout) {
      const told = this.#env.fetch(logout, { method: 'POST', keepalive: true, credentials: 'include' });
      told.catch(() => {}); // the session's end on the server is then its own time-out
    }
  };

  readonly retry = (): void => {
    if (!this.#sid || this.#state === 'expired' || this.#fresh()) return;
    this.#retryAt = 0;
    this.#store.setRetry(null);
    void this.#renew();
  };

  readonly close = (): void => {
    this.#closed = true;
    this.#gen++;
    this.#attempt?.abort();
    this.#env.clearTimeout(this.#timer);
    this.#bus.close();
    for (const off of this.#off) off();
    this.#listeners.clear();
  };

  // ---- the token's life ----

  #expiry(): number {
    return Math.min(this.#session?.expiresAt ?? 0, this.#store.expiry());
  }

  #fresh(): boolean {
    const token = this.peekToken();
    return token !== null && token !== this.#refused && this.#env.wall() < this.#expiry();
  }

  /** A refresh may be tried: there is a session, and no wait after a failure. */
  #due(): boolean {
    return this.#sid !== null && this.#state !== 'expired' && this.#env.wall() >= this.#retryAt;
  }

  /** One after another within the tab, and by the mutex among tabs. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#renewInTurn().finally(() => {
      this.#renewing = null;
      this.#schedule();
    });
    return this.#renewing;
  }

  async #renewInTurn(): Promise<void> {
    const { refreshTimeoutMs = 10_000, lockTimeoutMs = 15_000 } = this.#o;
    const gen = this.#gen;
    const old = this.peekToken();
    if (this.#env.page?.online() === false) return; // not a failure: `online` brings us back
    this.#become('refreshing');
    const attempt = new AbortController();
    this.#attempt = attempt;
    const turn = {
      name: `auth-refresh:${this.#sid}`,
      acquireMs: lockTimeoutMs,
      holdMs: refreshTimeoutMs + LAG_MS + ASK_MS,
      signal: attempt.signal,
    };
    const ran = await inTurn(this.#env, turn, () => this.#renewAlone(gen, old, attempt));
    this.#attempt = null;
    if (ran || gen !== this.#gen) return;
    // Whoever holds the lock is frozen, or waits for a dead server.
    if (!(await this.#caughtUp(gen, old)) && gen === this.#gen) this.#fail(this.#failures + 1);
  }

  async #renewAlone(gen: number, old: string | null, attempt: AbortController): Promise<void> {
    if (gen !== this.#gen) return;
    if (!this.#stillOurs()) return this.#recheck();
    await this.#settled(gen);
    if ((await this.#caughtUp(gen, old)) || gen !== this.#gen) return;
    const failed = this.#store.retry();
    const wait = (failed?.at ?? 0) - this.#env.wall();
    if (failed && wait > 50 && wait < DAY_MS && failed.at !== this.#retryAt) {
      this.#wait(failed.attempt, wait + WATCH_MS);
      return;
    }
    this.#bus.post({ type: 'started', sid: this.#sid ?? '', at: this.#env.wall() });
    try {
      const next = checkedSession(await this.#refresh(attempt));
      if (!next || next.expiresAt <= this.#env.wall()) throw new TypeError('refresh() gave no valid session');
      // What is in storage may be ahead of its message: a logout, or another's sign-in.
      if (gen === this.#gen && this.#stillOurs()) this.#adopt(next, this.#env.id(), true);
    } catch (error) {
      if (gen !== this.#gen || !this.#stillOurs()) return;
      if (statusOf(error) !== 401) this.#fail(this.#failures + 1);
      else {
        this.#bus.post({ type: 'expired', sid: this.#sid ?? '' });
        this.#store.clear(this.#sid);
        this.#expire();
      }
    }
  }

  /** `refresh()` may not heed its signal: it is left behind then. */
  async #refresh(attempt: AbortController): Promise<Session> {
    const { signal } = attempt;
    const timer = this.#env.setTimeout(() => attempt.abort(), this.#o.refreshTimeoutMs ?? 10_000);
    try {
      return await Promise.race([
        this.#o.refresh(signal),
        new Promise<never>((_, reject) => {
          signal.onabort = () => reject(signal.reason);
        }),
      ]);
    } finally {
      this.#env.clearTimeout(timer);
    }
  }

  /** Whether another tab has put a token in the place of `old`; asks it for the token where storage only names it. */
  async #caughtUp(gen: number, old: string | null): Promise<boolean> {
    const newer = () => this.#fresh() && this.peekToken() !== old;
    if (newer()) return true;
    const shared = this.#store.read();
    if (!shared || shared.rev === this.#rev || shared.sid !== this.#sid) return false;
    if (shared.session) this.#adopt(shared.session, shared.rev, false);
    else {
      this.#bus.post({ type: 'ask', sid: shared.sid, rev: shared.rev });
      await this.#untilChange(ASK_MS, () => gen !== this.#gen || this.#rev === shared.rev);
    }
    return gen === this.#gen && newer();
  }

  /**
   * Only storage calls the token expired. What another tab writes there after a refresh may come later than its
   * message with the token: then this tab would answer the same call once more.
   */
  async #settled(gen: number): Promise<void> {
    const own = this.#session?.expiresAt ?? 0;
    if (this.#failures || this.peekToken() === this.#refused || this.#env.wall() >= own || this.#fresh())
      return;
    await this.#untilChange(LAG_MS, () => gen !== this.#gen);
  }

  #untilChange(ms: number, done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        off();
        this.#env.clearTimeout(timer);
        resolve();
      };
      const off = this.subscribe(() => done() && finish());
      const timer = this.#env.setTimeout(finish, ms);
    });
  }

  #stillOurs(): boolean {
    const shared = this.#store.read();
    return shared === undefined || shared?.sid === this.#sid;
  }

  #fail(attempt: number): void {
    const nextInMs = backoff(attempt, this.#o.retry, this.#env.random);
    const at = this.#env.wall() + nextInMs;
    this.#store.setRetry({ attempt, at });
    this.#bus.post({ type: 'failed', sid: this.#sid ?? '', attempt, nextInMs });
    this.#wait(attempt, nextInMs);
    this.#retryAt = at;
  }

  #wait(attempt: number, ms: number): void {
    this.#failures = attempt;
    this.#retryAt = this.#env.wall() + ms;
    this.#become('refreshing');
    this.#schedule();
  }

  /** Computed from the wall clock each time: timers sleep when the machine does. */
  #schedule(): void {
    this.#env.clearTimeout(this.#timer);
    if (!this.#sid || this.#state === 'expired' || this.#closed || this.#renewing !== null) return;
    const now = this.#env.wall();
    const { refreshSkewMs = 30_000 } = this.#o;
    const skew = Math.min(refreshSkewMs, ((this.#session?.expiresAt ?? now) - this.#since) / 3);
    const early = skew * (1 - this.#env.random() / 2);
    const at = this.#failures ? this.#retryAt : Math.max(this.#expiry() - early, this.#retryAt);
    if (this.#env.page?.online() === false) return;
    this.#timer = this.#env.setTimeout(
      () => (this.#env.wall() < at ? this.#schedule() : void this.#renew()),
      Math.min(Math.max(at - now, 0), DAY_MS),
    );
  }

  // ---- whose session it is ----

  /** `announce`: it was fetched here, the other tabs are told. */
  #adopt(session: Session, rev: string, announce: boolean): void {
    const owner = ownerOf(session);
    if (this.#owner !== null && this.#owner !== owner) this.#leave('Another user has signed in');
    if (this.#user.signal.aborted) this.#user = new AbortController();
    const another = this.#sid !== session.sid;
    this.#owner = owner;
    this.#session = session;
    this.#sid = session.sid;
    this.#rev = rev;
    this.#since = this.#env.wall();
    this.#failures = 0;
    this.#retryAt = 0;
    if (announce) {
      this.#store.write(session, rev);
      if (another) this.#bus.post({ type: 'login', sid: session.sid });
      this.#bus.post({ type: 'token', sid: session.sid, rev, session });
    }
    this.#become('active');
    this.#schedule();
  }

  /** Another tab has signed in, or did before this page was loaded. */
  #follow(sid: string): void {
    // Whose it is shows when the token comes. Until then an expired session's user is taken to be back.
    if (this.#session) this.#leave('Signed in again in another tab');
    this.#forget();
    this.#sid = sid;
    this.#become('refreshing');
    void (this.#renewing ?? Promise.resolve()).then(() => {
      if (this.#sid === sid && !this.#session) void this.#renew();
    });
  }

  #forget(): void {
    this.#gen++;
    this.#session = null;
    this.#sid = null;
    this.#rev = '';
    this.#failures = 0;
    this.#retryAt = 0;
    this.#refused = '';
    this.#refusals = 0;
    this.#attempt?.abort();
    this.#env.clearTimeout(this.#timer);
  }

  #leave(reason: string): void {
    this.#owner = null;
    this.#user.abort(new DOMException(reason, 'AbortError'));
  }

  /** Nothing in here waits: when it returns, no request of the session is under way in this tab. */
  #end(reason: string | undefined, elsewhere: boolean, announce?: () => void): void {
    this.#forget();
    this.#leave(reason ?? 'Signed out');
    announce?.();
    this.#elsewhere = elsewhere;
    this.#become('loggedOut');
  }

  /** The user stays the same, and so does what they see, until somebody signs in. */
  #expire(): void {
    this.#forget();
    this.#become('expired');
  }

  #become(state: AuthState): void {
    this.#state = state;
    if (state === 'active') this.#elsewhere = false;
    this.#snapshot = this.#shown();
    for (const listener of [...this.#listeners]) listener();
  }

  #shown(): AuthSnapshot {
    const { bannerAfterFailures = 2 } = this.#o;
    return {
      state: this.#state,
      expiresAt: this.#session?.expiresAt ?? null,
      failures: this.#failures,
      blocked: this.#state === 'expired' || this.#failures >= bannerAfterFailures,
      elsewhere: this.#elsewhere,
    };
  }

  // ---- what other tabs and the page say ----

  #heard(message: Record<string, unknown>): void {
    const sid = text(message.sid);
    if (message.type === 'login' && sid && sid !== this.#sid) this.#follow(sid);
    if (!sid || sid !== this.#sid) return;
    const session = checkedSession(message.session);
    const rev = text(message.rev) ?? '';
    const attempt = Number(message.attempt);
    const nextInMs = Number(message.nextInMs);
    if (message.type === 'logout') this.#end(text(message.reason) ?? undefined, true);
    else if (message.type === 'expired') this.#expire();
    else if (message.type === 'token' && session?.sid === sid && rev !== this.#rev)
      this.#adopt(session, rev, false);
    else if (message.type === 'ask' && this.#session && rev === this.#rev)
      this.#bus.post({ type: 'token', sid, rev, session: this.#session });
    else if (message.type === 'failed' && attempt > 0 && nextInMs >= 0 && nextInMs < DAY_MS)
      this.#wait(attempt, nextInMs + WATCH_MS);
  }

  #listen(): void {
    this.#off.push(
      this.#env.onStorage((key, value) => {
        if (key === EXPIRY) this.#schedule();
        if (key !== LOGOUT || value === null || !this.#sid) return;
        // A value that names no session may be meant for this one: signing out is the safe mistake.
        const sid = text(parsed(value).sid) ?? this.#sid;
        if (sid === this.#sid) this.#end(undefined, true);
      }),
    );
    for (const type of ['online', 'pageshow', 'resume', 'visibilitychange'] as const) {
      const off = this.#env.page?.listen(type, () => this.#recheck());
      if (off) this.#off.push(off);
    }
  }

  /** The page may have slept, and missed what was said. */
  #recheck(): void {
    const shared = this.#store.read();
    if (shared === null && this.#sid) {
      if (this.#store.over() === this.#sid) this.#expire();
      else this.#end(undefined, true);
    } else if (shared && shared.sid !== this.#sid) this.#follow(shared.sid);
    else this.#schedule();
  }
}

function ownerOf({ userId, orgId }: Session): string {
  return `${encodeURIComponent(orgId)}/${encodeURIComponent(userId)}`;
}

/** Of a Response, of an error with `status`, or of one with `response.status`. */
function statusOf(error: unknown): unknown {
  const { status, response } = fields(error);
  return status ?? fields(response).status;
}
