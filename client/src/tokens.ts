// The token of a request, and what to do with one that was refused.
import { RealtimeError } from './error.js';
import { deadline, type Link } from './request.js';

export interface Tokens {
  /** `null`: there is none, send nothing. Rejects with `unauthorized` where the last was refused and no other is to be had. */
  get(signal: AbortSignal): Promise<string | null>;
  /** The server refused the last one. True: for the first time since it accepted one, so ask for another at once. */
  refused(): boolean;
  accepted(): void;
}

export function createTokens({ settings, env }: Link): Tokens {
  let last: string | null = null;
  let bad: string | null = null;
  let renewals = 0;

  // What the app promises may never come: then it counts as a refusal, and is asked again.
  async function soon<T>(ask: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
    const limit = deadline(env, signal);
    limit.set(settings.longPollTimeoutMs);
    try {
      return await new Promise<T>((resolve, reject) => {
        limit.signal.addEventListener('abort', reject);
        Promise.resolve(ask()).then(resolve, reject);
      });
    } catch (cause) {
      throw refusal('getToken or onUnauthorized failed', cause);
    } finally {
      limit.done();
    }
  }

  async function ask(signal: AbortSignal): Promise<string | null> {
    const token = await soon(settings.getToken, signal);
    // Anything else would be a malformed header.
    return token && /^[\x21-\x7e]+$/.test(token) ? token : null;
  }

  return {
    async get(signal) {
      let token = await ask(signal);
      if (token !== null && token === bad) {
        const failed = token;
        if (await soon(() => settings.onUnauthorized?.(failed) ?? false, signal)) token = await ask(signal);
        if (token === bad) throw refusal('the token was refused');
      }
      last = token;
      return token;
    },
    refused() {
      bad = last;
      return renewals++ === 0;
    },
    accepted() {
      bad = null;
      renewals = 0;
    },
  };
}

function refusal(what: string, cause?: unknown): RealtimeError {
  return new RealtimeError('unauthorized', `${what}: log in again.`, { status: 401, cause });
}
