// The session's verbs, and what other tabs and the page say of it.
import { Bus } from './bus.js';
import { DAY_MS, Renewal } from './renewal.js';
import { SessionState } from './state.js';
import { checkedSession, EXPIRY, LOGOUT, parsed, SESSION, SharedStore, text } from './store.js';
import type { Auth, AuthEnv, AuthOptions, Session } from './types.js';

export class SessionKeeper implements Omit<Auth, 'fetch'> {
  readonly loginUrl: string | undefined;
  readonly #logout: AuthOptions['logout'];
  readonly #env: AuthEnv;
  readonly #store: SharedStore;
  readonly #bus: Bus;
  readonly #is: SessionState;
  readonly #renewal: Renewal;
  readonly #off: (() => void)[] = [];

  readonly getSnapshot: Auth['getSnapshot'];
  readonly subscribe: Auth['subscribe'];
  readonly signal: Auth['signal'];
  readonly sessionKey: Auth['sessionKey'];
  readonly peekToken: Auth['peekToken'];

  constructor(options: AuthOptions, env: AuthEnv) {
    const store = new SharedStore(env.storage, options.storage === 'local');
    const bus = new Bus(env, (message) => this.#heard(message));
    const state = new SessionState({ env, store, bus, options });
    this.loginUrl = options.login;
    this.#logout = options.logout;
    this.#env = env;
    this.#store = store;
    this.#bus = bus;
    this.#is = state;
    this.#renewal = new Renewal(options, state);
    ({
      getSnapshot: this.getSnapshot,
      subscribe: this.subscribe,
      signal: this.signal,
      sessionKey: this.sessionKey,
      peekToken: this.peekToken,
    } = state);
    this.#listen();
    const shared = store.read();
    if (shared?.session) state.adopt(shared.session, shared.rev, false);
    else if (shared) state.follow(shared.sid);
  }

  readonly getToken = async (): Promise<string | null> => {
    if (!this.#is.fresh() && this.#is.due()) await this.#renewal.run();
    return this.#is.fresh() ? this.peekToken() : null;
  };

  readonly onUnauthorized = async (failed: string): Promise<boolean> => {
    await this.#renewal.refused(failed);
    return this.#is.fresh() && this.peekToken() !== failed;
  };

  /** The server took the token. */
  readonly accepted = (): void => {
    this.#is.refusals = 0;
  };

  readonly login = (session: Session): void => {
    const checked = checkedSession(session);
    if (!checked) throw new TypeError('login() needs { accessToken, expiresAt, userId, orgId, sid }');
    this.#is.gen++;
    this.#is.adopt(checked, this.#env.id(), true);
  };

  readonly logout = (given?: string): void => {
    const is = this.#is;
    const { session, sid } = is;
    // Given to onClick, it gets an event, which can't be told to other tabs.
    const reason = text(given) ?? undefined;
    is.end(reason, false, () => {
      if (!sid) return;
      this.#bus.post({ type: 'logout', sid, reason });
      this.#store.clear();
      this.#store.announceLogout(sid, this.#env.wall());
    });
    if (typeof this.#logout === 'function') this.#logout(session);
    else if (this.#logout) {
      const told = this.#env.fetch(this.#logout, { method: 'POST', keepalive: true, credentials: 'include' });
      told.catch(() => {}); // the session's end on the server is then its own time-out
    }
  };

  readonly retry = (): void => {
    if (!this.#is.sid || this.#is.fresh()) return;
    this.#is.retryAt = 0;
    this.#store.setRetry(null);
    void this.#renewal.run();
  };

  readonly close = (): void => {
    this.#renewal.close();
    this.#is.close();
    this.#bus.close();
    for (const off of this.#off) off();
  };

  #heard(message: Record<string, unknown>): void {
    const is = this.#is;
    const sid = text(message.sid);
    if (message.type === 'login' && sid) is.recheck(sid);
    if (!sid || sid !== is.sid) return;
    const session = checkedSession(message.session);
    const rev = text(message.rev) ?? '';
    const attempt = Number(message.attempt);
    const nextInMs = Number(message.nextInMs);
    if (message.type === 'logout') is.end(text(message.reason) ?? undefined, true);
    else if (message.type === 'expired') is.expire();
    else if (message.type === 'token' && session?.sid === sid && rev !== is.rev)
      is.take(session, rev, message.kept !== false);
    else if (message.type === 'ask' && is.session && rev === is.rev)
      this.#bus.post({ type: 'token', sid, rev, session: is.session, kept: !this.#store.full });
    else if (message.type === 'started') is.elsewhere = true;
    else if (message.type === 'failed' && attempt > 0 && nextInMs >= 0 && nextInMs < DAY_MS)
      this.#renewal.watch(attempt, nextInMs);
  }

  #listen(): void {
    this.#off.push(
      this.#env.onStorage((key, value) => {
        const is = this.#is;
        const { sid } = is;
        if (key === EXPIRY) this.#renewal.schedule();
        if (value === null) return;
        if (key === SESSION) is.recheck();
        // A value that names no session may be meant for this one: signing out is the safe mistake.
        if (key === LOGOUT && sid && (text(parsed(value).sid) ?? sid) === sid) is.end(undefined, true);
      }),
    );
    for (const type of ['online', 'pageshow', 'resume', 'visibilitychange'] as const) {
      const off = this.#env.page?.listen(type, () => {
        this.#is.recheck();
        this.#renewal.schedule();
      });
      if (off) this.#off.push(off);
    }
  }
}
