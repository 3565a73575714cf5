// The session and the real client together: two tabs, a server that parks polls.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectRealtime } from '../../src/auth/core.js';
import { createRealtimeClient, type RealtimeClient } from '../../src/index.js';
import { FakeBrowser, session, type Tab } from './browser.js';

interface Poll {
  tab: number;
  token: string | null;
  at: number;
  signal: AbortSignal;
  answered: boolean;
}

let browser: FakeBrowser;
let polls: Poll[];
let valid: (token: string) => boolean;
let refreshes: number;
let tabs: { tab: Tab; client: RealtimeClient }[];

beforeEach(async () => {
  vi.useFakeTimers();
  browser = new FakeBrowser();
  polls = [];
  valid = () => true;
  refreshes = 0;
  tabs = [0, 1].map(open);
  at(0).tab.auth.login(session());
  await ms(1_000);
});
afterEach(async () => {
  browser.close();
  await Promise.all(tabs.map(({ client }) => client.close()));
  vi.useRealTimers();
});

const ms = (n: number) => vi.advanceTimersByTimeAsync(n);
const at = (i: number) => tabs[i] as (typeof tabs)[number];
const waiting = () => polls.filter(({ signal, answered }) => !signal.aborted && !answered);

function open(i: number) {
  const refresh = async () => {
    refreshes++;
    return session({ accessToken: `renewed-${refreshes}` });
  };
  const tab = browser.tab({ refresh });
  const { auth } = tab;
  const client = createRealtimeClient({
    domain: 'tasks',
    url: 'http://h',
    transport: 'poll',
    initialCursor: 'abc-1',
    sessionKey: auth.sessionKey,
    getToken: auth.getToken,
    onUnauthorized: auth.onUnauthorized,
    fetch: (_, init) => serve(i, init as RequestInit),
    env: tab.env(),
  });
  connectRealtime(auth, client);
  client.start();
  return { tab, client };
}

function serve(tab: number, { headers, signal }: RequestInit): Promise<Response> {
  const token = new Headers(headers).get('Authorization')?.replace('Bearer ', '') ?? null;
  const poll = { tab, token, at: Date.now(), signal: signal as AbortSignal, answered: false };
  if (!token || !valid(token)) return Promise.resolve(new Response('{}', { status: 401 }));
  polls.push(poll);
  return new Promise((resolve, reject) => {
    poll.signal.addEventListener('abort', () => reject(poll.signal.reason));
    const body = JSON.stringify({ events: [], cursor: 'abc-1', gap: null });
    // A first probe is answered at once, the rest is held.
    setTimeout(
      () => {
        poll.answered = true;
        resolve(new Response(body));
      },
      polls.length === 1 ? 5 : 25_000,
    );
  });
}

describe('a session with the realtime client', () => {
  it('both tabs are live by one poll', () => {
    expect(tabs.map(({ client }) => client.getSnapshot().status)).toEqual(['live', 'live']);
    expect(waiting()).toHaveLength(1);
    expect(new Set(polls.map(({ tab }) => tab)).size).toBe(1);
  });

  for (const who of ['the leader', 'a follower']) {
    it(`C11: C32: logout by ${who} ends the poll at once, and no request bears the old token any more`, async () => {
      const leads = at(0).client.getSnapshot().isLeader ? 0 : 1;
      const open = waiting();
      at(who === 'the leader' ? leads : 1 - leads).tab.auth.logout();
      if (who === 'the leader') expect(open.every(({ signal }) => signal.aborted)).toBe(true);
      await ms(3);
      expect(open.every(({ signal }) => signal.aborted)).toBe(true);
      const sent = polls.length;
      await ms(120_000);
      expect(polls).toHaveLength(sent);
      expect(tabs.map(({ client }) => client.getSnapshot().status)).toEqual(['paused', 'paused']);
    });
  }

  it('C14: nor between two polls, while a refresh is under way', async () => {
    browser.setItem('auth-expiry', '0');
    const leads = at(0).client.getSnapshot().isLeader ? 0 : 1;
    at(leads).client.poke();
    await ms(10);
    at(1 - leads).tab.auth.logout();
    await ms(3);
    const sent = polls.length;
    await ms(120_000);
    expect(polls).toHaveLength(sent);
    expect(waiting()).toEqual([]);
  });

  it('a refused token is renewed once, and the poll goes on with the new one', async () => {
    valid = (token) => token.startsWith('renewed');
    await ms(30_000);
    expect(refreshes).toBe(1);
    expect(polls.at(-1)?.token).toBe('renewed-1');
    expect(tabs.map(({ client }) => client.getSnapshot().status)).toEqual(['live', 'live']);
  });

  it('C35: another user’s poll starts anew, under their token alone', async () => {
    const before = waiting();
    at(1).tab.auth.login(session({ sid: 's-2', userId: 'ben', accessToken: 'of-ben' }));
    await ms(1_000);
    expect(before.every(({ signal }) => signal.aborted)).toBe(true);
    expect(waiting().length).toBeGreaterThan(0);
    expect(new Set(waiting().map(({ token }) => token))).toEqual(new Set(['of-ben']));
  });
});
