import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AuthOptions, createAuth, type Session } from '../../src/auth/core.js';
import { browserEnv } from '../../src/auth/env.js';
import type { Locks } from '../../src/types.js';
import { FakeBrowser, session, type Tab } from './browser.js';

let browser: FakeBrowser;
let refreshes: number[];
const start = 1_800_000_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: start });
  browser = new FakeBrowser();
  refreshes = [];
});
afterEach(() => {
  browser.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Storage alone says that a token has expired: that is believed after this. */
const lag = 100;
const ms = (n: number) => vi.advanceTimersByTimeAsync(n);
const sinceStart = () => Date.now() - start;
const failure = (status: number) => Object.assign(new Error(`status ${status}`), { status });

/** A server that takes 50 ms and gives a new token each time. */
async function refresh(): Promise<Session> {
  refreshes.push(sinceStart());
  await new Promise((done) => setTimeout(done, 50));
  return session();
}

/** So many tabs of one signed-in user. */
async function signedIn(n: number, options: Partial<AuthOptions> = {}): Promise<Tab[]> {
  const tabs = Array.from({ length: n }, () => browser.tab({ refresh, ...options }));
  tabs[0]?.auth.login(session());
  await ms(5_000);
  return tabs;
}

const states = (tabs: Tab[]) => tabs.map((tab) => tab.auth.getSnapshot().state);
const at = (tabs: Tab[], i: number): Tab => tabs[i] as Tab;

async function tokens(tabs: Tab[]): Promise<(string | null)[]> {
  const all = Promise.all(tabs.map((tab) => tab.auth.getToken()));
  await ms(30_000);
  return all;
}

describe('a session', () => {
  it('is nobody’s at first, and asks for nothing', async () => {
    const tab = browser.tab({ refresh });
    expect(tab.auth.getSnapshot().state).toBe('anonymous');
    expect(await tab.auth.getToken()).toBeNull();
    expect(tab.auth.sessionKey()).toBeNull();
    await ms(100_000);
    expect(refreshes).toEqual([]);
  });

  it('goes to all tabs at login', async () => {
    const tabs = await signedIn(3);
    expect(states(tabs)).toEqual(['active', 'active', 'active']);
    expect(new Set(await tokens(tabs)).size).toBe(1);
    expect(refreshes).toEqual([]);
    expect(at(tabs, 2).auth.sessionKey()).toBe('hotel-1/anna');
  });

  it('is had from another tab after a reload, without a request', async () => {
    const tabs = await signedIn(1);
    const reloaded = browser.tab({ refresh });
    expect(reloaded.auth.getSnapshot().state).toBe('refreshing');
    expect(await tokens([reloaded])).toEqual([at(tabs, 0).auth.peekToken()]);
    expect(refreshes).toEqual([]);
  });

  it('is had from the server after a reload of the only tab', async () => {
    const [only] = await signedIn(1);
    only?.auth.close();
    browser.tabs.length = 0;
    const reloaded = browser.tab({ refresh });
    const [token] = await tokens([reloaded]);
    expect(token).toMatch(/^token-/);
    expect(refreshes).toHaveLength(1);
  });

  it('with storage: local is there at once after a reload', async () => {
    await signedIn(1, { storage: 'local' });
    const reloaded = browser.tab({ refresh, storage: 'local' });
    expect(reloaded.auth.getSnapshot().state).toBe('active');
    expect(await reloaded.auth.getToken()).toMatch(/^token-/);
  });

  it('with storage: memory leaves no token in storage', async () => {
    const tabs = await signedIn(1);
    expect([...browser.stored.values()].join()).not.toContain(at(tabs, 0).auth.peekToken());
  });

  it('is renewed before it ends, by one tab', async () => {
    const tabs = await signedIn(4);
    await ms(3_600_000);
    expect(refreshes).toHaveLength(1);
    expect(refreshes[0]).toBeGreaterThan(3_600_000 - 30_001);
    expect(refreshes[0]).toBeLessThan(3_600_000);
    expect(states(tabs)).toEqual(['active', 'active', 'active', 'active']);
  });

  it('of a life shorter than the skew is not renewed all the time', async () => {
    const short = async () => {
      refreshes.push(sinceStart());
      return session({ expiresAt: Date.now() + 20_000 });
    };
    const tab = browser.tab({ refresh: short });
    tab.auth.login(session({ expiresAt: Date.now() + 20_000 }));
    await ms(60_000);
    expect(refreshes.length).toBeGreaterThanOrEqual(3);
    expect(refreshes.length).toBeLessThanOrEqual(5);
  });

  it('refuses what is no session', () => {
    const tab = browser.tab({ refresh });
    const bad = [
      { accessToken: '' },
      { accessToken: 'two words' },
      { accessToken: 'line\r\nSet-Cookie: x' },
      { expiresAt: Number.NaN },
      { userId: '' },
      { sid: 7 as unknown as string },
    ];
    for (const over of bad) expect(() => tab.auth.login(session(over))).toThrow(TypeError);
    expect(tab.auth.getSnapshot().state).toBe('anonymous');
  });
});

describe('P14: the refresh mutex', () => {
  for (const withLocks of [true, false]) {
    const how = withLocks ? 'by Web Lock' : 'by lease, without Web Locks';

    it(`P16: auth-expiry set to the past: one refresh for three tabs (${how})`, async () => {
      browser.withLocks = withLocks;
      const tabs = await signedIn(3);
      for (let run = 1; run <= 30; run++) {
        browser.setItem('auth-expiry', `${Date.now() - 10_000}`);
        const old = at(tabs, 0).auth.peekToken();
        const got = await tokens(tabs);
        expect(refreshes).toHaveLength(run);
        expect(new Set(got).size).toBe(1);
        expect(got[0]).not.toBe(old);
      }
    });

    it(`a real 401 in three tabs at once: one refresh (${how})`, async () => {
      browser.withLocks = withLocks;
      const tabs = await signedIn(3);
      for (let run = 1; run <= 30; run++) {
        const failed = at(tabs, 0).auth.peekToken() as string;
        const all = Promise.all(tabs.map((tab) => tab.auth.onUnauthorized(failed)));
        await ms(30_000);
        expect(await all).toEqual([true, true, true]);
        expect(refreshes).toHaveLength(run);
        expect(new Set(await tokens(tabs)).size).toBe(1);
      }
    });
  }

  it('holds when messages are slower than locks', async () => {
    browser.latencyMs = 150;
    const tabs = await signedIn(3);
    browser.setItem('auth-expiry', '0');
    expect(new Set(await tokens(tabs)).size).toBe(1);
    expect(refreshes).toHaveLength(1);
  });

  it('holds when a lock is quicker than both, and a 401 is the reason', async () => {
    const tabs = await signedIn(3);
    browser.latencyMs = 40;
    browser.storageLagMs = 90;
    for (let run = 1; run <= 10; run++) {
      const failed = at(tabs, 0).auth.peekToken() as string;
      const all = Promise.all(tabs.map((tab) => tab.auth.onUnauthorized(failed)));
      await ms(30_000);
      expect(await all).toEqual([true, true, true]);
      expect(refreshes).toHaveLength(run);
    }
  });

  it('holds when storage is slower than messages', async () => {
    const tabs = await signedIn(3);
    browser.storageLagMs = 60;
    for (let run = 1; run <= 10; run++) {
      browser.setItem('auth-expiry', '0', at(tabs, 0));
      at(tabs, 0).view.set('auth-expiry', '0');
      await ms(70);
      expect(new Set(await tokens(tabs)).size).toBe(1);
      expect(refreshes).toHaveLength(run);
    }
  });

  it('holds when storage is slower than anybody waits', async () => {
    const tabs = await signedIn(2);
    browser.storageLagMs = 500;
    for (let run = 1; run <= 3; run++) {
      browser.setItem('auth-expiry', '0');
      await ms(500 + lag + 100);
      expect(refreshes).toHaveLength(run);
      const [one, other] = [at(tabs, 0), at(tabs, 1)].map((tab) => tab.auth.peekToken());
      expect(one).toBe(other);
      expect(await Promise.all(tabs.map((tab) => tab.auth.getToken()))).toEqual([one, one]);
      await ms(2_000);
      expect(refreshes).toHaveLength(run);
    }
  });

  it('is one request too for many calls in one tab', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    browser.setItem('auth-expiry', '0');
    await tokens([tab, tab, tab, tab]);
    expect(refreshes).toHaveLength(1);
  });

  it('is one request too for many 401 of one new token in one tab, and all of them are tried again', async () => {
    const tab = browser.tab({ refresh });
    tab.auth.login(session());
    await ms(1_000);
    tab.answer = async (_, init) => {
      const refused = new Headers(init.headers).get('Authorization') === `Bearer ${first}`;
      return new Response(null, { status: refused ? 401 : 200 });
    };
    const first = tab.auth.peekToken();
    const answers = Promise.all(['/a', '/b', '/c'].map((url) => tab.auth.fetch(url)));
    const realtime = tab.auth.onUnauthorized(first as string);
    await ms(1_000);
    expect((await answers).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await realtime).toBe(true);
    expect(refreshes).toHaveLength(1);
  });

  it('never hangs on a tab that froze while it held the lock', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    void browser.locks.request('auth-refresh:s-1', {}, () => new Promise(() => {}));
    browser.setItem('auth-expiry', '0');
    let got: string | null | undefined;
    void tab.auth.getToken().then((token) => {
      got = token;
    });
    await ms(14_900);
    expect(got).toBeUndefined();
    await ms(300);
    expect(got).toBeNull();
    expect(tab.auth.getSnapshot()).toMatchObject({ state: 'refreshing', failures: 1 });
  });

  it('gives up a refresh after 10 s, also one that heeds no signal', async () => {
    const hanging = browser.tab({ refresh: () => new Promise<Session>(() => {}) });
    hanging.auth.login(session());
    browser.setItem('auth-expiry', '0');
    const asked = hanging.auth.getToken();
    await ms(10_000 + lag + 1);
    expect(await asked).toBeNull();
    expect(hanging.auth.getSnapshot().failures).toBe(1);
  });

  it('passes over a lease from a clock that was set back, and one that can’t be read', async () => {
    browser.withLocks = false;
    const tabs = await signedIn(1);
    for (const lease of [`${Date.now() + 9e9} other`, 'rubbish', '{"timestamp":1}']) {
      browser.setItem('auth-refresh:s-1', lease);
      browser.setItem('auth-expiry', '0');
      expect((await tokens(tabs))[0]).toMatch(/^token/);
    }
    expect(refreshes).toHaveLength(3);
    expect(browser.stored.has('auth-refresh:s-1')).toBe(false);
  });

  it('works alone where locks, storage and channels are missing', async () => {
    Object.assign(browser, { withLocks: false, withStorage: false, withChannels: false });
    const tab = browser.tab({ refresh });
    tab.auth.login(session({ expiresAt: Date.now() + 1_000 }));
    await ms(5_000);
    expect(refreshes).toHaveLength(1);
    tab.auth.logout();
    expect(tab.auth.getSnapshot().state).toBe('loggedOut');
  });
});

describe('a refresh that fails', () => {
  async function failing(n: number, status: () => number, random?: () => number) {
    const refresh = async () => {
      refreshes.push(sinceStart());
      throw failure(status());
    };
    const env = random && { random };
    const tabs = Array.from({ length: n }, () => browser.tab({ refresh, ...(env && { env }) }));
    tabs[0]?.auth.login(session({ expiresAt: Date.now() + 60_000 }));
    await ms(1_000);
    browser.setItem('auth-expiry', '0');
    return tabs;
  }
  const gaps = () => refreshes.slice(1).map((t, i) => Math.round((t - (refreshes[i] ?? 0)) / 1000));

  it('is tried again after 2, 4, 8, 16, 32, 60, 60 s, by one tab of three', async () => {
    const tabs = await failing(3, () => 503);
    await ms(200_000);
    expect(gaps()).toEqual([2, 4, 8, 16, 32, 60, 60]);
    expect(states(tabs)).toEqual(['refreshing', 'refreshing', 'refreshing']);
    expect(tabs.map((tab) => tab.auth.getSnapshot().failures)).toEqual([8, 8, 8]);
  });

  it('goes on when the tab that tried is closed', async () => {
    const tried: number[] = [];
    const tabs = [0, 1, 2].map((i) =>
      browser.tab({
        refresh: async () => {
          tried.push(i);
          throw failure(503);
        },
      }),
    );
    tabs[0]?.auth.login(session());
    await ms(100);
    browser.setItem('auth-expiry', '0');
    await ms(500);
    expect(tried).toHaveLength(1);
    at(tabs, tried[0] as number).auth.close();
    await ms(5_000);
    expect(tried).toHaveLength(2);
    expect(tried[1]).not.toBe(tried[0]);
  });

  it('P17: waits a different time in each browser, ± 20 %', async () => {
    for (const [random, wait] of [
      [0, 1_600],
      [0.999999, 2_400],
    ] as const) {
      browser = new FakeBrowser();
      refreshes = [];
      await failing(
        1,
        () => 503,
        () => random,
      );
      await ms(5_000);
      expect((refreshes[1] ?? 0) - (refreshes[0] ?? 0)).toBeGreaterThan(wait - 20);
      expect((refreshes[1] ?? 0) - (refreshes[0] ?? 0)).toBeLessThan(wait + 20);
      browser.close();
    }
  });

  it('blocks the page after the second time, in all tabs, until it succeeds', async () => {
    let status = 503;
    const tabs = [1, 2].map(() =>
      browser.tab({
        refresh: async () => {
          refreshes.push(sinceStart());
          if (status) throw failure(status);
          return session();
        },
      }),
    );
    tabs[0]?.auth.login(session());
    await ms(100);
    browser.setItem('auth-expiry', '0');
    await ms(1_000);
    expect(tabs.map((tab) => tab.auth.getSnapshot().blocked)).toEqual([false, false]);
    await ms(2_100);
    expect(tabs.map((tab) => tab.auth.getSnapshot().blocked)).toEqual([true, true]);
    status = 0;
    await ms(5_000);
    expect(tabs.map((tab) => tab.auth.getSnapshot())).toMatchObject([
      { state: 'active', blocked: false, failures: 0 },
      { state: 'active', blocked: false, failures: 0 },
    ]);
  });

  it('is not tried by getToken() while it waits, and is by retry()', async () => {
    const [tab] = (await failing(1, () => 503)) as [Tab];
    await ms(lag + 10);
    expect(refreshes).toHaveLength(1);
    expect(await tab.auth.getToken()).toBeNull();
    expect(await tab.auth.onUnauthorized('x')).toBe(false);
    expect(refreshes).toHaveLength(1);
    tab.auth.retry();
    await ms(10);
    expect(refreshes).toHaveLength(2);
  });

  it('goes on when the clock is set back, in a tab that is opened then too', async () => {
    let works = false;
    const attempt = async () => {
      refreshes.push(sinceStart());
      if (!works) throw failure(503);
      return session();
    };
    const tabs = await signedIn(1, { refresh: attempt });
    browser.setItem('auth-expiry', '0');
    await ms(100_000);
    expect(at(tabs, 0).auth.getSnapshot().failures).toBeGreaterThan(3);
    vi.setSystemTime(Date.now() - 7_200_000);
    works = true;
    tabs.push(browser.tab({ refresh: attempt }));
    await ms(75_000);
    expect(states(tabs)).toEqual(['active', 'active']);
    expect(tabs.map((tab) => tab.auth.getSnapshot().failures)).toEqual([0, 0]);
  });

  it('with 401 is the end of the session, everywhere, and nothing is sent any more', async () => {
    const tabs = await failing(3, () => 401);
    await ms(300_000);
    expect(refreshes).toHaveLength(1);
    expect(states(tabs)).toEqual(['expired', 'expired', 'expired']);
    expect(await tokens(tabs)).toEqual([null, null, null]);
    expect(tabs.map((tab) => tab.auth.signal().aborted)).toEqual([false, false, false]);
    tabs[1]?.auth.login(session({ sid: 's-2' }));
    await ms(1_000);
    expect(states(tabs)).toEqual(['active', 'active', 'active']);
    expect(tabs.map((tab) => tab.auth.signal().aborted)).toEqual([false, false, false]);
  });

  it('with a thrown Response of 401 is the same', async () => {
    const tab = browser.tab({ refresh: () => Promise.reject(new Response(null, { status: 401 })) });
    tab.auth.login(session());
    browser.setItem('auth-expiry', '0');
    await tokens([tab]);
    expect(tab.auth.getSnapshot().state).toBe('expired');
  });

  it('C12: a server that takes no token is not asked for one after another', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    tab.answer = async () => new Response(null, { status: 401 });
    for (let i = 0; i < 60; i++) {
      void tab.auth.fetch('/api/tasks').catch(() => {});
      await ms(500);
    }
    // 30 s: at once, then after 2, 4, 8 and 16 s, each ± 20 % and with what the refresh takes.
    expect(refreshes.length).toBeGreaterThanOrEqual(3);
    expect(refreshes.length).toBeLessThanOrEqual(6);
  });

  it('is no failure while the browser is offline', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    tab.online = false;
    browser.setItem('auth-expiry', '0');
    expect(await tokens([tab])).toEqual([null]);
    await ms(600_000);
    expect(refreshes).toEqual([]);
    expect(tab.auth.getSnapshot().failures).toBe(0);
    tab.online = true;
    tab.page('online');
    await ms(lag + 100);
    expect(refreshes).toHaveLength(1);
    expect(tab.auth.getSnapshot().state).toBe('active');
  });

  it('tells nobody a token, a session or a key by its message or by storage', async () => {
    const tabs = await failing(1, () => 503);
    await ms(10_000);
    const token = tabs[0]?.auth.peekToken() as string;
    expect([...browser.stored.values()].join()).not.toContain(token);
    const failed = browser.sent.filter(({ data }) => data.type === 'failed');
    expect(failed.length).toBeGreaterThan(1);
    expect(JSON.stringify(failed)).not.toContain(token);
  });
});

describe('logout', () => {
  it('C32: is done in this tab when it returns, in order, and told before anything is waited for', async () => {
    const [tab] = (await signedIn(1, { logout: '/auth/logout' })) as [Tab];
    const token = tab.auth.peekToken();
    browser.sent.length = 0;
    const order: string[] = [];
    tab.auth.signal().addEventListener('abort', () => {
      order.push(`abort: ${tab.auth.peekToken()}, ${browser.sent.length} sent`);
    });
    tab.auth.subscribe(() =>
      order.push(`told: ${tab.auth.getSnapshot().state}, ${browser.sent.length} sent`),
    );
    tab.auth.logout();
    order.push(`POST: ${tab.fetched.length}`);
    expect(order).toEqual(['abort: null, 0 sent', 'told: loggedOut, 1 sent', 'POST: 1']);
    expect(browser.sent[0]).toMatchObject({
      channel: 'auth-control',
      data: { v: 1, type: 'logout', sid: 's-1' },
    });
    expect(JSON.parse(browser.stored.get('auth-logout') ?? '')).toMatchObject({ sid: 's-1' });
    expect(tab.fetched[0]).toMatchObject({
      url: '/auth/logout',
      token: null,
      init: { method: 'POST', keepalive: true },
    });
    expect(JSON.stringify(tab.fetched)).not.toContain(token);
    expect(browser.stored.has('auth-session')).toBe(false);
    expect(browser.stored.has('auth-expiry')).toBe(false);
  });

  it('is done too where it is given what is no reason, as by onClick={logout}', async () => {
    const told: unknown[] = [];
    const tabs = await signedIn(2, { logout: () => told.push('the server') });
    const click = { type: 'click', preventDefault() {} };
    at(tabs, 0).auth.logout(click as never);
    await ms(10);
    expect(states(tabs)).toEqual(['loggedOut', 'loggedOut']);
    expect(browser.stored.has('auth-session')).toBe(false);
    expect(told).toHaveLength(1);
  });

  it('reaches the other tabs by message', async () => {
    const tabs = await signedIn(3);
    at(tabs, 0).auth.logout();
    await ms(5);
    expect(states(tabs)).toEqual(['loggedOut', 'loggedOut', 'loggedOut']);
    expect(tabs.map((tab) => tab.auth.signal().aborted)).toEqual([true, true, true]);
    expect(tabs.map((tab) => tab.auth.getSnapshot().elsewhere)).toEqual([false, true, true]);
    expect(await tokens(tabs)).toEqual([null, null, null]);
    expect(browser.sent.filter(({ data }) => data.type === 'logout')).toHaveLength(1);
  });

  it('reaches them by storage where there are no channels', async () => {
    const tabs = await signedIn(2, { storage: 'local' });
    for (const tab of tabs) for (const channel of tab.channels) channel.close();
    at(tabs, 0).auth.logout();
    await ms(5);
    expect(states(tabs)).toEqual(['loggedOut', 'loggedOut']);
  });

  it('C33: the key’s removal, and another session’s logout, are none', async () => {
    const tabs = await signedIn(1);
    browser.setItem('auth-logout', null);
    browser.setItem('auth-logout', '{"sid":"another"}');
    await ms(5);
    expect(states(tabs)).toEqual(['active']);
    browser.setItem('auth-logout', '1700000000000');
    await ms(5);
    expect(states(tabs)).toEqual(['loggedOut']);
  });

  it('C14: what a refresh brings after a logout is discarded', async () => {
    const tabs = await signedIn(2);
    browser.setItem('auth-expiry', '0');
    const asked = tabs.map((tab) => tab.auth.getToken());
    await ms(lag + 30);
    expect(refreshes).toHaveLength(1);
    at(tabs, 1).auth.logout();
    await ms(60_000);
    expect(await Promise.all(asked)).toEqual([null, null]);
    expect(states(tabs)).toEqual(['loggedOut', 'loggedOut']);
    expect(browser.stored.has('auth-session')).toBe(false);
    expect(refreshes).toHaveLength(1);
  });

  it('C14: also before its message has arrived', async () => {
    const tabs = await signedIn(2);
    browser.sent.length = 0;
    browser.setItem('auth-expiry', '0');
    void at(tabs, 0).auth.getToken();
    browser.latencyMs = 1_000;
    await ms(lag + 10);
    expect(refreshes).toHaveLength(1);
    browser.stored.delete('auth-session');
    for (const tab of tabs) tab.view.delete('auth-session'); // as the other tab's logout leaves storage
    await ms(200);
    expect(browser.sent.filter(({ data }) => data.type === 'token')).toEqual([]);
    expect(browser.stored.has('auth-session')).toBe(false);
  });

  it('ends the wait for the lock', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    void browser.locks.request('auth-refresh:s-1', {}, () => new Promise(() => {}));
    browser.setItem('auth-expiry', '0');
    const asked = tab.auth.getToken();
    await ms(10);
    tab.auth.logout();
    await ms(0);
    expect(await asked).toBeNull();
    expect(browser.locks.queues.get('auth-refresh:s-1')).toHaveLength(1);
  });

  it('that a sleeping tab missed is seen when it wakes', async () => {
    const tabs = await signedIn(2);
    at(tabs, 1).frozen = true;
    at(tabs, 0).auth.logout();
    await ms(1_000);
    at(tabs, 1).frozen = false;
    expect(states(tabs)).toEqual(['loggedOut', 'active']);
    at(tabs, 1).page('pageshow');
    expect(states(tabs)).toEqual(['loggedOut', 'loggedOut']);
  });

  it('ends with the next login, in all tabs', async () => {
    const tabs = await signedIn(2);
    at(tabs, 0).auth.logout();
    await ms(10);
    at(tabs, 1).auth.login(session({ sid: 's-2', userId: 'ben' }));
    await ms(1_000);
    expect(tabs.map((tab) => tab.auth.sessionKey())).toEqual(['hotel-1/ben', 'hotel-1/ben']);
    expect(tabs.map((tab) => tab.auth.signal().aborted)).toEqual([false, false]);
    expect(refreshes).toEqual([]);
  });
});

describe('two log-ins that cross', () => {
  for (const [apart, storageLagMs] of [
    [0, 0],
    [20, 0],
    [0, 90],
    [20, 90],
    [20, 200],
  ] as const) {
    it(`${apart} ms apart, storage ${storageLagMs} ms late: all tabs are in the same session, and a logout ends it`, async () => {
      const tabs = Array.from({ length: 3 }, () => browser.tab({ refresh }));
      Object.assign(browser, { latencyMs: 50, storageLagMs });
      at(tabs, 0).auth.login(session({ sid: 's-2', userId: 'ben' }));
      await ms(apart);
      at(tabs, 1).auth.login(session({ sid: 's-3', userId: 'eve' }));
      await ms(5_000);
      expect(states(tabs)).toEqual(['active', 'active', 'active']);
      expect(new Set(tabs.map((tab) => tab.auth.sessionKey()))).toEqual(new Set(['hotel-1/eve']));
      expect(new Set(await tokens(tabs)).size).toBe(1);
      at(tabs, 1).auth.logout();
      await ms(1_000);
      expect(states(tabs)).toEqual(['loggedOut', 'loggedOut', 'loggedOut']);
    });
  }
});

describe('C35: another user’s login', () => {
  it('ends what the first one had open, in all tabs', async () => {
    const tabs = await signedIn(2);
    const signals = tabs.map((tab) => tab.auth.signal());
    at(tabs, 0).auth.login(session({ sid: 's-2', userId: 'ben' }));
    await ms(1_000);
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true]);
    expect(tabs.map((tab) => tab.auth.sessionKey())).toEqual(['hotel-1/ben', 'hotel-1/ben']);
    expect(tabs.map((tab) => tab.auth.signal().aborted)).toEqual([false, false]);
  });

  it('is followed where storage says so later than the message', async () => {
    const tabs = await signedIn(3);
    Object.assign(browser, { latencyMs: 50, storageLagMs: 200 });
    at(tabs, 1).auth.login(session({ sid: 's-2', userId: 'ben' }));
    await ms(1_000);
    expect(tabs.map((tab) => tab.auth.sessionKey())).toEqual(Array(3).fill('hotel-1/ben'));
    expect(new Set(await tokens(tabs)).size).toBe(1);
    expect(refreshes).toEqual([]);
  });

  it('is seen too when a refresh gives another user’s token', async () => {
    let userId = 'anna';
    const tab = browser.tab({ refresh: async () => session({ userId }) });
    tab.auth.login(session());
    const before = tab.auth.signal();
    userId = 'ben';
    browser.setItem('auth-expiry', '0');
    await tokens([tab]);
    expect(before.aborted).toBe(true);
    expect(tab.auth.sessionKey()).toBe('hotel-1/ben');
  });

  it('keys of user and org can’t be mixed up', () => {
    const tab = browser.tab({ refresh });
    tab.auth.login(session({ orgId: 'a/b', userId: 'c' }));
    const one = tab.auth.sessionKey();
    tab.auth.login(session({ orgId: 'a', userId: 'b/c' }));
    expect(tab.auth.sessionKey()).not.toBe(one);
  });
});

describe('messages', () => {
  it('C43: of another version, another session or another form change nothing', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    const token = tab.auth.peekToken();
    const mallory = session({ sid: 's-9', userId: 'mallory' });
    const messages: [string, unknown][] = [
      ['auth-control', { type: 'logout', sid: 's-1' }],
      ['auth-control', { v: 2, type: 'logout', sid: 's-1' }],
      ['auth-control', { v: 1, type: 'logout', sid: 's-9' }],
      ['auth-control', { v: 1, type: 'logout' }],
      ['auth-control', { v: 1, type: 'token', sid: 's-1', rev: 'r', session: session() }],
      ['auth-refresh', { v: 1, type: 'logout', sid: 's-1' }],
      ['auth-refresh', { v: 1, type: 'token', sid: 's-1', rev: 'r', session: mallory }],
      ['auth-refresh', { v: 1, type: 'token', sid: 's-9', rev: 'r', session: mallory }],
      [
        'auth-refresh',
        { v: 1, type: 'token', sid: 's-1', rev: 'r', session: { ...session(), accessToken: 'a b' } },
      ],
      ['auth-refresh', { v: 1, type: 'failed', sid: 's-1', attempt: -1, nextInMs: 1 }],
      ['auth-refresh', { v: 1, type: 'failed', sid: 's-1', attempt: 1, nextInMs: 9e12 }],
      ['auth-refresh', null],
      ['auth-refresh', 'failed'],
    ];
    for (const [name, data] of messages) {
      for (const channel of tab.channels) if (channel.name === name) channel.onmessage?.({ data });
    }
    expect(tab.auth.getSnapshot()).toMatchObject({ state: 'active', failures: 0 });
    expect(tab.auth.peekToken()).toBe(token);
  });

  it('a token is told only to a tab that names it', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    browser.sent.length = 0;
    for (const channel of tab.channels) {
      channel.onmessage?.({ data: { v: 1, type: 'ask', sid: 's-1', rev: 'guess' } });
      channel.onmessage?.({ data: { v: 1, type: 'ask', sid: 's-2', rev: '' } });
    }
    expect(browser.sent).toEqual([]);
  });

  it('C34: channels that can’t be opened leave a session of one tab', async () => {
    const tab = browser.tab({
      refresh,
      env: {
        channel: () => {
          throw new DOMException('opaque origin', 'SecurityError');
        },
      },
    });
    tab.auth.login(session());
    expect(await tab.auth.getToken()).toMatch(/^token-/);
    tab.auth.logout();
  });

  it('storage that throws at every touch leaves a session without memory', async () => {
    const blocked = () => {
      throw new DOMException('blocked', 'SecurityError');
    };
    const tab = browser.tab({
      refresh,
      env: { storage: { getItem: blocked, setItem: blocked, removeItem: blocked } },
    });
    tab.auth.login(session({ expiresAt: Date.now() + 1_000 }));
    await ms(3_000);
    expect(refreshes).toHaveLength(1);
    expect(tab.auth.getSnapshot().state).toBe('active');
  });

  it('full storage signs nobody out, in no tab', async () => {
    const tabs = [browser.tab({ refresh }), browser.tab({ refresh })];
    const lookAgain = () => {
      for (const tab of tabs) tab.page('visibilitychange');
    };
    const full = vi.spyOn(browser, 'setItem').mockImplementation((key, value) => {
      if (value !== null) throw new DOMException('full', 'QuotaExceededError');
      browser.stored.delete(key);
      for (const tab of tabs) tab.view.delete(key);
    });
    at(tabs, 0).auth.login(session());
    await ms(1_000);
    lookAgain();
    expect(states(tabs)).toEqual(['active', 'active']);
    const renewed = at(tabs, 1).auth.onUnauthorized(at(tabs, 1).auth.peekToken() as string);
    await ms(1_000);
    expect(await renewed).toBe(true);
    lookAgain();
    await ms(1_000);
    expect(states(tabs)).toEqual(['active', 'active']);
    full.mockRestore();
    // There is room again: what storage says counts again.
    at(tabs, 0).auth.login(session());
    await ms(1_000);
    for (const key of ['auth-session', 'auth-expiry']) browser.setItem(key, null);
    await ms(1_000);
    lookAgain();
    expect(states(tabs)).toEqual(['loggedOut', 'loggedOut']);
  });

  it('full storage is no loop of refreshes', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    const full = vi.spyOn(browser, 'setItem').mockImplementation((key, value) => {
      if (value !== null) throw new DOMException('full', 'QuotaExceededError');
      tab.view.delete(key);
    });
    tab.view.set('auth-expiry', '0');
    await tokens([tab]);
    await ms(600_000);
    expect(refreshes).toHaveLength(1);
    full.mockRestore();
  });
});

describe('a listener that throws', () => {
  it('stops no refresh and no logout, and is reported', async () => {
    const reported: (() => void)[] = [];
    vi.stubGlobal('queueMicrotask', (report: () => void) => reported.push(report));
    const told: (Session | null)[] = [];
    const tab = browser.tab({ refresh, logout: (ended) => told.push(ended) });
    let calls = 0;
    tab.auth.subscribe(() => {
      throw new Error('mine');
    });
    tab.auth.subscribe(() => calls++);
    tab.auth.login(session());
    browser.setItem('auth-expiry', '0');
    const token = tab.auth.getToken();
    await ms(1_000);
    vi.unstubAllGlobals();
    expect(await token).toBe(tab.auth.peekToken());
    expect(refreshes).toHaveLength(1);
    expect(tab.auth.getSnapshot()).toMatchObject({ state: 'active', failures: 0 });
    vi.stubGlobal('queueMicrotask', (report: () => void) => reported.push(report));
    tab.auth.logout();
    vi.unstubAllGlobals();
    expect(told).toHaveLength(1);
    expect(calls).toBe(reported.length);
    expect(() => reported[0]?.()).toThrow('mine');
  });
});

describe('a page that is prerendered', () => {
  it('renews nothing, and so tells other tabs of no failure, until it is shown', async () => {
    const document = Object.assign(new EventTarget(), { prerendering: true, visibilityState: 'hidden' });
    vi.stubGlobal('document', document);
    for (const name of ['addEventListener', 'removeEventListener']) vi.stubGlobal(name, () => {});
    const { page } = browserEnv();
    // Its locks are granted, and its messages sent, when it is shown.
    const locks: Locks = {
      request: (_, { signal }) =>
        new Promise((__, reject) => {
          signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
        }),
    };
    browser.setItem('auth-session', JSON.stringify({ sid: 's-1', rev: 'r' }));
    const tab = browser.tab({ refresh, env: { page, locks } });
    await ms(120_000);
    expect(tab.auth.getSnapshot()).toMatchObject({ failures: 0, blocked: false });
    expect(browser.stored.has('auth-retry')).toBe(false);
    // As Chromium does it, in this order.
    document.visibilityState = 'visible';
    document.dispatchEvent(new Event('visibilitychange'));
    document.prerendering = false;
    await ms(60_000);
    expect(tab.auth.getSnapshot().failures).toBeGreaterThan(0);
  });
});

describe('auth.fetch', () => {
  it('P15: reads the token when it sends', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    const { fetch } = tab.auth;
    await fetch('/api/tasks');
    browser.setItem('auth-expiry', '0');
    const later = fetch('/api/tasks');
    await ms(1_000);
    await later;
    expect(tab.fetched[0]?.token).not.toBe(tab.fetched[1]?.token);
    expect(tab.fetched[1]?.token).toBe(`Bearer ${tab.auth.peekToken()}`);
  });

  it('P14: sends no Authorization without a token', async () => {
    const tab = browser.tab({ refresh });
    await tab.auth.fetch('/api/tasks');
    tab.auth.login(session());
    tab.auth.logout();
    await tab.auth.fetch('/login', { method: 'POST' });
    expect(tab.fetched.map(({ token }) => token)).toEqual([null, null]);
  });

  it('keeps what the caller sends along', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    await tab.auth.fetch(
      new Request('https://app.example/x', { method: 'PUT', body: 'b', headers: { 'X-A': '1' } }),
    );
    await tab.auth.fetch('/y', { headers: [['X-A', '2']] });
    expect(tab.fetched.map(({ init }) => new Headers(init.headers).get('X-A'))).toEqual(['1', '2']);
  });

  it('C11: after a 401 renews the token and sends once more', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    tab.answer = async () => new Response(null, { status: tab.fetched.length > 1 ? 200 : 401 });
    const answer = tab.auth.fetch(new Request('https://app.example/x', { method: 'POST', body: 'once' }));
    await ms(1_000);
    expect((await answer).status).toBe(200);
    expect(refreshes).toHaveLength(1);
    expect(tab.fetched.map(({ token }) => token)).toHaveLength(2);
    expect(new Set(tab.fetched.map(({ token }) => token)).size).toBe(2);
  });

  it('sends the token to the page’s own origin and to those that are named, and to no other', async () => {
    const [tab] = (await signedIn(1, { tokenOrigins: ['https://API.example:443/v1'] })) as [Tab];
    const urls = {
      '/api/tasks': true,
      tasks: true,
      'https://app.example/x': true,
      'https://api.example/x': true,
      'http://app.example/x': false,
      'https://app.example:8443/x': false,
      'https://app.example.evil.example/x': false,
      'https://app.example@evil.example/x': false,
      '//evil.example/x': false,
      'data:,x': false,
      'https://': false,
    };
    for (const url of Object.keys(urls)) await tab.auth.fetch(url);
    await tab.auth.fetch(new URL('https://evil.example/x'));
    await tab.auth.fetch(new Request('https://evil.example/x'));
    await tab.auth.fetch(new Request('https://api.example/x'));
    expect(tab.fetched.map(({ token }) => token !== null)).toEqual([
      ...Object.values(urls),
      false,
      false,
      true,
    ]);
  });

  it('has no origin of its own in a file or a sandbox', async () => {
    const [tab] = (await signedIn(1, { env: { origin: 'null' } })) as [Tab];
    for (const url of ['data:,x', 'file:///x', '/api']) await tab.auth.fetch(url);
    expect(tab.fetched.map(({ token }) => token)).toEqual([null, null, null]);
  });

  it('takes no origin that is none', () => {
    for (const origin of ['*', 'api.example', ''])
      expect(() => createAuth({ refresh, tokenOrigins: [origin] }), origin).toThrow(TypeError);
  });

  it('another origin’s answers say nothing of the token, and its own Authorization stays', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    tab.answer = async () => new Response(null, { status: 401 });
    const answer = await tab.auth.fetch('https://other.example/', {
      headers: { Authorization: 'Basic eDp5' },
    });
    expect(answer.status).toBe(401);
    expect(tab.fetched.map(({ token }) => token)).toEqual(['Basic eDp5']);
    expect(refreshes).toEqual([]);
    // One that waits ends at logout all the same.
    tab.answer = (_, init) =>
      new Promise((__, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      });
    const waiting = tab.auth.fetch('https://other.example/');
    await ms(1);
    tab.auth.logout();
    await expect(waiting).rejects.toThrow('Signed out');
  });

  it('does not send a stream twice', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    tab.answer = async () => new Response(null, { status: 401 });
    const answer = await tab.auth.fetch('/x', { method: 'POST', body: new ReadableStream() });
    expect(answer.status).toBe(401);
    expect(tab.fetched).toHaveLength(1);
  });

  it('ends at logout: what waits, what is answered, what is asked for the token', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    const signals: AbortSignal[] = [];
    tab.answer = (url, init) => {
      signals.push(init.signal as AbortSignal);
      if (url === '/body') return Promise.resolve(new Response('…'));
      return new Promise((_, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      });
    };
    await tab.auth.fetch('/body');
    const waiting = tab.auth.fetch('/waits');
    await ms(1);
    browser.setItem('auth-expiry', '0');
    const queued = tab.auth.fetch('/queued');
    await ms(1);
    const gone = Promise.allSettled([waiting, queued]);
    tab.auth.logout();
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true]);
    for (const result of await gone) expect(result).toMatchObject({ reason: { name: 'AbortError' } });
    expect(tab.fetched.map(({ url }) => url)).toEqual(['/body', '/waits']);
  });

  it('ends by the caller’s own signal, and forgets it', async () => {
    const [tab] = (await signedIn(1)) as [Tab];
    const own = new AbortController();
    let listening = 0;
    const add = vi.spyOn(own.signal, 'addEventListener').mockImplementation(() => void listening++);
    const remove = vi.spyOn(own.signal, 'removeEventListener').mockImplementation(() => void listening--);
    for (let i = 0; i < 500; i++) await tab.auth.fetch('/x', { signal: own.signal });
    expect(listening).toBeLessThanOrEqual(64);
    add.mockRestore();
    remove.mockRestore();
    tab.answer = (_, init) =>
      new Promise((__, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      });
    const waiting = tab.auth.fetch('/y', { signal: own.signal });
    await ms(1);
    own.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe('close', () => {
  it('leaves no timer, channel or listener, and signs nobody out', async () => {
    const tabs = await signedIn(2);
    browser.setItem('auth-expiry', '0');
    void at(tabs, 0).auth.getToken();
    await ms(10);
    for (const tab of tabs) tab.auth.close();
    await ms(100);
    expect(tabs.map((tab) => tab.listeners())).toEqual([0, 0]);
    expect(vi.getTimerCount()).toBe(0);
    expect(browser.stored.has('auth-session')).toBe(true);
  });
});
