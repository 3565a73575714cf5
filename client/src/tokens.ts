// The token of a request, and what to do with one that was refused.
import { RealtimeError } from './error.js';
import type { Link } from './request.js';

export interface Tokens {
  /** `null`: there is none, send nothing. Rejects with `unauthorized` where the last one was refused and no other is to be had. */
  get(signal: AbortSignal): Promise<string | null>;
  /** The server refused the last one. True: that is the first time since it accepted one, so ask for another at once. */
  refused(): boolean;
  accepted(): void;
}

export function createTokens({ settings, env }: Link): Tokens {
  let last: string | null = null;
  let bad: string | null = null;
  let renewals = 0;

  // What the app promises may never come: then it counts as a refusal, and is asked again.
  function soon<T>(promise: T | Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(refusal('no token came in time'));
      const timer = env.setTimeout(fail, settings.longPollTimeoutMs + settings.requestGraceMs);
      signal.addEventListener('abort', fail);
      Promise.resolve(promise)
        .then(resolve, () => reject(refusal('getToken or onUnauthorized failed')))
        .finally(() => {
          env.clearTimeout(timer);
          signal.removeEventListener('abort', fail);
        });
    });
  }

  async function ask(signal: AbortSignal): Promise<string | null> {
    const token = await soon(settings.getToken(), signal);
    // Anything else would be a malformed header.
    return token && /^[\x21-\x7e]+$/.test(token) ? token : null;
  }

  return {
    async get(signal) {
      let token = await ask(signal);
      if (token !== null && token === bad) {
        const renewed = await soon(settings.onUnauthorized?.(token) ?? false, signal);
        token = renewed ? await ask(signal) : token;
        if (token === bad) throw refusal('the token was refused and there is no other');
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

function refusal(what: string): RealtimeError {
  return new RealtimeError('unauthorized', `${what}: log in again.`, { status: 401 });
}
