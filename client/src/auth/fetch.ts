// A fetch that knows the session: its token, its renewal, its end.
import type { SessionKeeper } from './session.js';
import type { AuthEnv } from './types.js';

/** Of so many answers the bodies, which may still be coming in, end with the session too. */
const BODIES = 64;

export function sessionFetch(session: SessionKeeper, env: Pick<AuthEnv, 'fetch'>): typeof fetch {
  // Not AbortSignal.any(): what it joins to a signal as long-lived as the session's is not given back everywhere.
  const open = new Set<AbortController>();
  const answered = new Map<AbortController, () => void>();
  let ending: AbortSignal | undefined;

  function endTogether(signal: AbortSignal): void {
    if (ending === signal) return;
    ending = signal;
    signal.addEventListener('abort', () => {
      for (const request of [...open, ...answered.keys()]) request.abort(signal.reason);
      answered.clear();
    });
  }

  async function send(input: RequestInfo | URL, init: RequestInit | undefined, token: string | null) {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
    if (token) headers.set('Authorization', `Bearer ${token}`);
    const request = new AbortController();
    const own = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const pass = () => request.abort(own?.reason);
    const unlink = () => own?.removeEventListener('abort', pass);
    if (own?.aborted) pass();
    own?.addEventListener('abort', pass);
    open.add(request);
    try {
      const response = await env.fetch(input, { ...init, headers, signal: request.signal });
      answered.set(request, unlink);
      forgetOldest();
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
    const again = input instanceof Request ? input.clone() : input;
    const user = session.signal();
    const nobody = user.aborted;
    const token = await session.getToken();
    if (!nobody) user.throwIfAborted();
    endTogether(user);
    const response = await send(input, init, token);
    if (response.status !== 401) session.accepted();
    if (response.status !== 401 || !token || init?.body instanceof ReadableStream) return response;
    if (!(await session.onUnauthorized(token)) || session.signal() !== user) return response;
    const second = await send(again, init, session.peekToken());
    if (second.status !== 401) session.accepted();
    return second;
  };
}
