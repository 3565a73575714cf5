// Who is signed in. The token lives in memory only; what outlasts a reload is a
// cookie that no script can read.
import { createAuth, type Session } from 'bellhop-client/auth';
import { base, json, read } from './server';
import type { Candidate } from './types';

// A cookie goes to another origin only where both sides ask for it.
const post = (path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
  fetch(`${base}/hotel/auth/${path}`, { ...json('POST', body), ...init, credentials: 'include' });

// The clocks of server and browser are never compared.
const received = (answer: Session & { expiresIn: number }): Session => ({
  accessToken: answer.accessToken,
  expiresAt: Date.now() + answer.expiresIn * 1000,
  userId: answer.userId,
  orgId: answer.orgId,
  sid: answer.sid,
});

export const auth = createAuth({
  refresh: async (signal) => received(await read(await post('refresh', {}, { signal }))),
  login: '/',
  // `auth.fetch` sends the token to the page's own origin; a backend at another has to be named.
  ...(base ? { tokenOrigins: [new URL(base, location.href).origin] } : {}),
  // The tabs have stopped by now; keepalive: it goes out though the page may be closed.
  logout: () => post('logout', {}, { keepalive: true }).catch(() => undefined),
});

export const candidates = async (): Promise<Candidate[]> =>
  (await read<{ staff: Candidate[] }>(await fetch(`${base}/hotel/auth/staff`))).staff;

export async function signIn(user: string): Promise<void> {
  auth.login(received(await read(await post('login', { user }))));
}
