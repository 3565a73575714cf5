// A fetch that knows the session: its token, its renewal, its end.
import type { SessionKeeper } from './session.js';
import type { AuthEnv } from './types.js';

/** Of so many answers the bodies, which may still be coming in, end with the session too. */
const BODIES = 64;

/** The origins that the token may go to. */
export function trustedOrigins(own: string | undefined, named: readonly string[] = []): Set<unknown> {
  const origins = new Set<unknown>([own, ...named.map((origin) => new URL(origin).origin)]);
  origins.delete('null'); // that of all that have none: files, sandboxes
  return origins;
}

export function sessionFetch(
  session: SessionKeeper,
  env: Pick<AuthEnv, 'fetch' | 'resolve'>,
  trusted: Set<unknown>,
): typeof fetch {
  // Not AbortSignal.any(): what it joins to a signal as long-lived as the session's is not given back everywhere.
  const open = new Set<AbortController>();
  const answered = new Map<AbortController, () => void>();
  let ending: AbortSignal | undefined;

  function mayHaveToken(url: string | URL): boolean {
    try {
      return trusted.has(new URL(env.resolve(url)).origin);
    } catch {
      return false; // fetch says what is wrong with it
    }
  }

  function endTogether(signal: AbortSignal): void {
    if (ending === signal) return;
    ending = signal;
    signal.addEventListener('abort', () => {
      for (const request of [...open, ...answered.keys()]) request.abort(signal.reason);
      answered.clear();
    });
  }

  async function send(input: RequestInfo | URL, init: RequestInit | undefined, token: string | null) {
    const given = input instanceof Request ? input : undefined;
    const headers = new Headers(init?.headers ?? given?.headers);
    if (token) headers.set('Authorization', `Bearer ${token}`);
    const request = new AbortController();
    const own = init?.signal ?? given?.signal;
    const pass = () => request.abort(own?.reason);
    const unlink = () => own?.removeEventListener('abort', pass);
    if (own?.aborted) pass();
    own?.addEventListener('abort', pass);
    open.add(request);
    try {
      const response = await env.fetch(input, { ...init, headers, signal: request.signal });
      answered.set(request, unlink);
      forgetOldest();
      if (token && response.status !== 401) session.accepted();
      return response;
    } catch (error) {
      unlink();
      throw error;
    } finally {
      open.delete(request);
    }
  }

  function forgetOldest(): void {
    for (const [request, unlink] of answered) {
      if (answered.size <= BODIES) return;
      answered.delete(request);
      unlink();
    }
  }

  return async (input, init) => {
    const given = input instanceof Request ? input : undefined;
    const again = given?.clone() ?? input;
    const user = session.signal();
    const nobody = user.aborted;
    const token = mayHaveToken(given?.url ?? (input as string | URL)) ? await session.getToken() : null;
    if (!nobody) user.throwIfAborted();
    endTogether(user);
    const response = await send(input, init, token);
    if (response.status !== 401 || !token || init?.body instanceof ReadableStream) return response;
    if (!(await session.onUnauthorized(token)) || session.signal() !== user) return response;
    return send(again, init, session.peekToken());
  };
}
