// Who is signed in. The token lives in memory only; what outlasts a reload is a
// cookie that no script can read, and `hint` says whether it is worth asking.
import { createAuth, type Session } from 'bellhop-client/auth';
import { base, json, read } from './server';
import type { Candidate } from './types';

const hint = 'hotel-signed-in';

// A cookie goes to another origin only where both sides ask for it.
const post = (path: string, init: RequestInit): Promise<Response> =>
  fetch(`${base}/hotel/auth/${path}`, { ...init, credentials: 'include' });

// The clocks of server and browser are never compared.
const received = (answer: Session & { expiresIn: number }): Session => ({
  accessToken: answer.accessToken,
  expiresAt: Date.now() + answer.expiresIn * 1000,
  userId: answer.userId,
  orgId: answer.orgId,
  sid: answer.sid,
});

const refresh = async (signal: AbortSignal): Promise<Session> =>
  received(await read(await post('refresh', { ...json('POST', {}), signal })));

export const auth = createAuth({ refresh });

// After a reload: go on with the session that the cookie stands for.
export async function resume(): Promise<void> {
  if (localStorage.getItem(hint) === null) return;
  const session = await refresh(AbortSignal.timeout(10_000)).catch(() => null);
  if (session) auth.login(session);
  else localStorage.removeItem(hint);
}

export const candidates = async (): Promise<Candidate[]> =>
  (await read<{ staff: Candidate[] }>(await fetch(`${base}/hotel/auth/staff`))).staff;

export async function signIn(user: string): Promise<void> {
  const session = received(await read(await post('login', json('POST', { user }))));
  localStorage.setItem(hint, '1');
  auth.login(session);
}

// The tabs first, so that no request goes out any more; then the server.
export async function signOut(): Promise<void> {
  auth.logout();
  localStorage.removeItem(hint);
  await post('logout', { ...json('POST', {}), keepalive: true }).catch(() => undefined);
}
