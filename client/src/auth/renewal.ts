// How a token is renewed: one tab at a time, once, and less and less often while it fails.
import { backoff } from '../backoff.js';
import { inTurn } from './mutex.js';
import type { SessionState } from './state.js';
import { checkedSession, fields } from './store.js';
import type { AuthOptions, Session } from './types.js';

/** Other tabs answer `ask` within this, or the token is fetched anew. */
const ASK_MS = 200;
/** What one tab has written to storage, the others read within this. */
const LAG_MS = 100;
/** The tab that failed tries again first; the others look after it this much later. */
const WATCH_MS = 2_000;
/** A token that is refused this soon after it came was refused from the start. */
const YOUTH_MS = 10_000;
/** Timers can't be longer than 2^31 ms. */
export const DAY_MS = 86_400_000;

interface Attempt {
  gen: number;
  /** The token to be replaced, and whether it still holds: then only its age is why. */
  old: string | null;
  early: boolean;
  stop: AbortController;
}

export class Renewal {
  readonly #o: AuthOptions;
  readonly #is: SessionState;
  #running: Promise<void> | null = null;
  #attempt: Attempt | null = null;
  #timer: unknown;
  readonly #off: () => void;

  constructor(options: AuthOptions, state: SessionState) {
    this.#o = options;
    this.#is = state;
    this.#off = state.subscribe(() => {
      if (this.#attempt && this.#attempt.gen !== state.gen) this.#attempt.stop.abort();
      this.schedule();
    });
  }

  /** One after another within the tab, and by the mutex among tabs. */
  run(): Promise<void> {
    this.#running ??= this.#inTurn().finally(() => {
      this.#running = null;
      this.schedule();
    });
    return this.#running;
  }

  /** The server refused `token`. */
  async refused(token: string): Promise<void> {
    const is = this.#is;
    if (is.peekToken() !== token || !is.due()) return;
    // Several requests may be refused with it: the first counts, the others wait for the same.
    if (is.refused !== token) {
      is.refused = token;
      is.refusals = is.around.env.wall() - is.since < YOUTH_MS ? is.refusals + 1 : 1;
      // A new token that is refused at once: the server takes none. Don't fetch one after another.
      if (is.refusals > 1) return this.#fail(is.refusals - 1);
    }
    await this.run();
  }

  /** Another tab failed, and will try again in so many milliseconds. */
  watch(failures: number, nextInMs: number): void {
    this.#is.elsewhere = false;
    this.#wait(failures, nextInMs + WATCH_MS);
  }

  /** Computed from the wall clock each time: timers sleep when the machine does. */
  schedule(): void {
    const { env } = this.#is.around;
    env.clearTimeout(this.#timer);
    // Offline is no failure: `online` brings us back.
    if (!this.#is.sid || this.#running !== null || env.page?.online() === false) return;
    const wait = this.#nextAt() - env.wall();
    const ring = () => (env.wall() < this.#nextAt() ? this.schedule() : void this.run());
    this.#timer = env.setTimeout(ring, Math.min(Math.max(wait, 0), DAY_MS));
  }

  close(): void {
    this.#off();
    this.#attempt?.stop.abort();
    this.#is.around.env.clearTimeout(this.#timer);
  }

  #nextAt(): number {
    const { session, since, failures, around } = this.#is;
    const retryAt = this.#is.due() ? 0 : this.#is.retryAt;
    if (failures || !session) return retryAt;
    const skew = Math.min(this.#o.refreshSkewMs ?? 30_000, (session.expiresAt - since) / 3);
    return Math.max(this.#is.expiry() - skew * (1 - around.env.random() / 2), retryAt);
  }

  async #inTurn(): Promise<void> {
    const is = this.#is;
    const { env } = is.around;
    const { refreshTimeoutMs = 10_000, lockTimeoutMs = 15_000 } = this.#o;
    if (env.page?.online() === false) return;
    const stop = new AbortController();
    const attempt = { gen: is.gen, old: is.peekToken(), early: is.fresh(), stop };
    is.become('refreshing');
    this.#attempt = attempt;
    const turn = {
      name: `auth-refresh:${is.sid}`,
      acquireMs: lockTimeoutMs,
      holdMs: refreshTimeoutMs + LAG_MS + ASK_MS,
      signal: stop.signal,
    };
    const ran = await inTurn(env, turn, () => this.#alone(attempt));
    this.#attempt = null;
    // If not: whoever holds the lock is frozen, or waits for a dead server.
    if (!ran && !(await this.#caughtUp(attempt)) && this.#current(attempt)) this.#fail(is.failures + 1);
    if (this.#current(attempt) && is.fresh() && !is.failures) is.become('active');
  }

  async #alone(attempt: Attempt): Promise<void> {
    const is = this.#is;
    if (!this.#current(attempt)) return;
    const anew = !attempt.early && !is.failures;
    if (anew) await this.#lag(attempt);
    if ((await this.#caughtUp(attempt)) || !this.#current(attempt)) return;
    if ((anew && is.fresh()) || this.#triedElsewhere()) return;
    await this.#fetch(attempt);
  }

  /** No logout, and no other sign-in, also none whose message is still on its way. */
  #current({ gen }: Attempt): boolean {
    if (gen === this.#is.gen) this.#is.recheck();
    return gen === this.#is.gen;
  }

  /**
   * Messages, storage and locks of another tab come in any order. Waits for the end of a refresh that it began; and
   * where only storage calls the token expired, for what it may have written there since.
   */
  async #lag({ gen }: Attempt): Promise<void> {
    const is = this.#is;
    const holds = is.peekToken() !== is.refused && is.around.env.wall() < (is.session?.expiresAt ?? 0);
    if (is.elsewhere) await this.#until(LAG_MS, () => gen !== is.gen || !is.elsewhere);
    else if (holds && !is.fresh()) await this.#until(LAG_MS, () => gen !== is.gen);
    is.elsewhere = false;
  }

  /** Whether another tab has put a token in the place of the old; asks it where storage only names it. */
  async #caughtUp({ gen, old }: Attempt): Promise<boolean> {
    const is = this.#is;
    const { store, bus } = is.around;
    const newer = () => is.fresh() && is.peekToken() !== old;
    const shared = store.read();
    if (newer()) return true;
    if (gen !== is.gen || !shared || shared.rev === is.rev || shared.sid !== is.sid) return false;
    if (shared.session) is.take(shared.session, shared.rev);
    else {
      bus.post({ type: 'ask', sid: shared.sid, rev: shared.rev });
      await this.#until(ASK_MS, () => gen !== is.gen || is.rev === shared.rev);
    }
    return newer();
  }

  /** Another tab has just failed, and its next attempt counts for all. */
  #triedElsewhere(): boolean {
    const { around, retryAt } = this.#is;
    const retry = around.store.retry();
    const waits = retry !== null && this.#is.waits(retry.at - 50) && retry.at !== retryAt;
    if (waits) this.watch(retry.attempt, retry.at - around.env.wall());
    return waits;
  }

  async #fetch(attempt: Attempt): Promise<void> {
    const is = this.#is;
    const { env, store, bus } = is.around;
    const sid = is.sid ?? '';
    bus.post({ type: 'started', sid });
    try {
      const next = checkedSession(await this.#bounded(attempt.stop));
      if (!next || next.expiresAt <= env.wall()) throw new TypeError('refresh() gave no valid session');
      if (this.#current(attempt)) is.adopt(next, env.id(), true);
    } catch (error) {
      if (!this.#current(attempt)) return;
      if (statusOf(error) !== 401) return this.#fail(is.failures + 1);
      bus.post({ type: 'expired', sid });
      store.clear(sid);
      is.expire();
    }
  }

  /** `refresh()` may not heed its signal: it is left behind then. */
  async #bounded(stop: AbortController): Promise<Session> {
    const { env } = this.#is.around;
    const { signal } = stop;
    const timer = env.setTimeout(() => stop.abort(), this.#o.refreshTimeoutMs ?? 10_000);
    const aborted = new Promise<never>((_, reject) => {
      signal.onabort = () => reject(signal.reason);
    });
    try {
      return await Promise.race([this.#o.refresh(signal), aborted]);
    } finally {
      env.clearTimeout(timer);
    }
  }

  #fail(attempt: number): void {
    const is = this.#is;
    const { env, store, bus } = is.around;
    const nextInMs = backoff(attempt, this.#o.retry, env.random);
    const at = env.wall() + nextInMs;
    store.setRetry({ attempt, at });
    bus.post({ type: 'failed', sid: is.sid ?? '', attempt, nextInMs });
    this.#wait(attempt, nextInMs);
  }

  #wait(failures: number, ms: number): void {
    this.#is.failures = failures;
    this.#is.retryAt = this.#is.around.env.wall() + ms;
    this.#is.become('refreshing');
  }

  #until(ms: number, done: () => boolean): Promise<void> {
    const { env } = this.#is.around;
    return new Promise((resolve) => {
      const finish = () => {
        off();
        env.clearTimeout(timer);
        resolve();
      };
      const off = this.#is.subscribe(() => done() && finish());
      const timer = env.setTimeout(finish, ms);
    });
  }
}

/** Of a Response, of an error with `status`, or of one with `response.status`. */
function statusOf(error: unknown): unknown {
  const { status, response } = fields(error);
  return status ?? fields(response).status;
}
