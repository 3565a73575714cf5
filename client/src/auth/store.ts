// What tabs share in localStorage, and the one place where a session that comes from outside is checked.
//
//   auth-session  {"sid","rev"}: who is signed in, and which token is the newest; with `local`, the session too
//   auth-expiry   milliseconds since 1970: a copy of expiresAt that may be set to the past to force a refresh
//   auth-retry    {"attempt","at"}: a refresh failed, and when the next one is due; or {"over"}: the sid that it ended
//   auth-logout   {"sid"}: written at logout, for tabs that a message doesn't reach
//
// Storage may be missing, blocked or full: then a tab knows only what messages tell it.
import type { KeyStore } from '../types.js';
import type { Session } from './types.js';

export const EXPIRY = 'auth-expiry';
export const LOGOUT = 'auth-logout';
export const SESSION = 'auth-session';
const RETRY = 'auth-retry';

/** `rev` names a token without telling it. */
export interface Shared {
  sid: string;
  rev: string;
  session: Session | null;
}

export interface Retry {
  attempt: number;
  at: number;
}

type Fields = Record<string, unknown>;

export function fields(x: unknown): Fields {
  return typeof x === 'object' && x !== null ? (x as Fields) : {};
}

export function text(x: unknown): string | null {
  return typeof x === 'string' && x !== '' ? x : null;
}

/** `null` for whatever isn't one: no token with spaces or line ends gets into a header. */
export function checkedSession(x: unknown): Session | null {
  const { accessToken, expiresAt, userId, orgId, sid } = fields(x);
  const whole =
    /^[!-~]+$/.test(text(accessToken) ?? '') &&
    Number.isFinite(expiresAt) &&
    text(userId) &&
    text(orgId) &&
    text(sid);
  return whole ? ({ accessToken, expiresAt, userId, orgId, sid } as Session) : null;
}

export function parsed(json: string | null): Fields {
  try {
    return fields(JSON.parse(json ?? ''));
  } catch {
    return {};
  }
}

export class SharedStore {
  readonly #keys: KeyStore | null;
  readonly #local: boolean;
  /** The session could not be written: that storage knows of none says nothing. */
  full = false;
  #outdated: string | null | undefined;

  constructor(keys: KeyStore | null, local: boolean) {
    this.#keys = keys;
    this.#local = local;
  }

  /** `undefined`: nobody can tell; `null`: nobody is signed in. */
  read(): Shared | null | undefined {
    const json = this.#get(SESSION);
    if (json === undefined || (json === null && this.full)) return undefined;
    const { sid, rev, session } = parsed(json);
    const name = text(sid);
    return name ? { sid: name, rev: text(rev) ?? '', session: checkedSession(session) } : null;
  }

  write(session: Session, rev: string): void {
    const { sid } = session;
    this.full = !this.#set(SESSION, JSON.stringify({ sid, rev, session: this.#local ? session : undefined }));
    this.#set(EXPIRY, `${session.expiresAt}`);
    this.#set(RETRY, null);
  }

  /** `over`: the session that didn't end by a logout. */
  clear(over?: string | null): void {
    for (const key of [SESSION, EXPIRY]) this.#set(key, null);
    this.#set(RETRY, over ? JSON.stringify({ over }) : null);
  }

  over(): unknown {
    return parsed(this.#get(RETRY) ?? null).over;
  }

  /** A token has come from elsewhere: the copy that can be read now is of an older one, whatever it says. */
  outdate(): void {
    this.#outdated = this.#get(EXPIRY);
  }

  /** Infinity where there is none: it can only shorten a token's life. */
  expiry(): number {
    const value = this.#get(EXPIRY);
    if (value !== this.#outdated) this.#outdated = undefined;
    const copy = Number.parseFloat((this.#outdated === undefined && value) || '');
    return Number.isFinite(copy) ? copy : Infinity;
  }

  retry(): Retry | null {
    const { attempt, at } = parsed(this.#get(RETRY) ?? null);
    return Number.isFinite(attempt) && Number.isFinite(at) ? ({ attempt, at } as Retry) : null;
  }

  setRetry(retry: Retry | null): void {
    this.#set(RETRY, retry && JSON.stringify(retry));
  }

  /** The time makes each value new: storing the same one again tells no other tab. */
  announceLogout(sid: string | null, at: number): void {
    this.#set(LOGOUT, JSON.stringify({ sid, at }));
  }

  #get(key: string): string | null | undefined {
    try {
      return this.#keys?.getItem(key);
    } catch {
      return undefined;
    }
  }

  #set(key: string, value: string | null): boolean {
    try {
      if (value === null) this.#keys?.removeItem(key);
      else this.#keys?.setItem(key, value);
      return true;
    } catch {
      // Full or blocked. An old value that stays would be taken for the new one.
      if (value !== null) this.#set(key, null);
      return false;
    }
  }
}
