// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { createElement, type ReactNode, StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  AuthProvider,
  type AuthProviderProps,
  GlobalAuthBanner,
  Layout,
  useAuth,
} from '../../src/auth/index.js';
import { FakeClient } from '../react-query/client.js';
import { FakeBrowser, session, type Tab } from './browser.js';

let browser: FakeBrowser;
let tab: Tab;
let status: number;
let refreshes: number;

beforeEach(() => {
  vi.useFakeTimers();
  browser = new FakeBrowser();
  status = 503;
  refreshes = 0;
  tab = open();
  vi.spyOn(navigator, 'onLine', 'get').mockImplementation(() => tab.online);
});
afterEach(() => {
  cleanup();
  browser.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function open(): Tab {
  return browser.tab({
    login: '/login',
    refresh: async () => {
      refreshes++;
      if (status) throw Object.assign(new Error(), { status });
      return session();
    },
  });
}

const ms = (n: number) => act(() => vi.advanceTimersByTimeAsync(n));

function show(content: ReactNode, props: Partial<AuthProviderProps> = {}) {
  return render(
    createElement(StrictMode, null, createElement(AuthProvider, { auth: tab.auth, ...props }, content)),
  );
}

function network(on: boolean): void {
  tab.online = on;
  act(() => void dispatchEvent(new Event(on ? 'online' : 'offline')));
}

const page = () =>
  createElement(
    Layout,
    null,
    createElement('button', { type: 'button' }, 'Save'),
    createElement('input', { 'aria-label': 'note', defaultValue: '' }),
  );
const alert = () => screen.queryByRole('alert');
const content = () => screen.getByText('Save').closest('fieldset') as HTMLFieldSetElement;
const buttons = () => [...(alert()?.querySelectorAll('button') ?? [])].map((b) => b.textContent);

async function expired(): Promise<void> {
  status = 401;
  act(() => tab.auth.login(session()));
  browser.setItem('auth-expiry', '0');
  void tab.auth.getToken();
  await ms(200);
}

describe('GlobalAuthBanner', () => {
  it('P14: shows nothing while all is well', () => {
    show(page());
    act(() => tab.auth.login(session()));
    expect(alert()).toBeNull();
    expect(content().disabled).toBe(false);
    expect(content().hasAttribute('inert')).toBe(false);
  });

  it('P14: P22: an ended session: red, [Log in] and [Reload], and the content can’t be used', async () => {
    const assign = vi.spyOn(location, 'assign').mockImplementation(() => {});
    const reload = vi.spyOn(location, 'reload').mockImplementation(() => {});
    show(page());
    await expired();
    expect(alert()?.className).toContain('bellhop-expired');
    expect(alert()?.style.background).toBe('#a4161a');
    expect(buttons()).toEqual(['Log in', 'Reload']);
    expect(content().disabled).toBe(true);
    expect(content().hasAttribute('inert')).toBe(true);
    fireEvent.click(screen.getByText('Log in'));
    expect(assign).toHaveBeenCalledWith('/login');
    fireEvent.click(screen.getByText('Reload'));
    expect(reload).toHaveBeenCalledOnce();
    act(() => tab.auth.login(session({ sid: 's-2' })));
    expect(alert()).toBeNull();
    expect(content().disabled).toBe(false);
    expect(content().hasAttribute('inert')).toBe(false);
  });

  it('a session that can’t be renewed is told after the second failure, at once', async () => {
    show(page());
    act(() => tab.auth.login(session()));
    browser.setItem('auth-expiry', '0');
    void tab.auth.getToken();
    await ms(100 + 1_990);
    expect([refreshes, alert()]).toEqual([1, null]);
    await ms(20);
    expect(refreshes).toBe(2);
    expect(alert()?.className).toContain('bellhop-failing');
    status = 0;
    await ms(5_000);
    expect(alert()).toBeNull();
  });

  it('P22: offline: yellow after 5 s, [Try again], gone when online', async () => {
    show(page());
    network(false);
    await ms(4_900);
    expect(alert()).toBeNull();
    await ms(200);
    expect(alert()?.className).toContain('bellhop-offline');
    expect(alert()?.style.background).toBe('#ffd84d');
    expect(buttons()).toEqual(['Try again']);
    expect(content().disabled).toBe(true);
    network(true);
    expect(alert()).toBeNull();
  });

  it('a moment offline is not worth a word', async () => {
    show(page());
    network(false);
    await ms(4_000);
    network(true);
    await ms(10_000);
    expect(alert()).toBeNull();
  });

  it('is told too when the browser says online and nothing gets through; [Try again] pokes', async () => {
    const realtime = new FakeClient();
    show(page(), { realtime });
    act(() => realtime.change({ status: 'offline' }));
    expect(buttons()).toEqual(['Try again']);
    fireEvent.click(screen.getByText('Try again'));
    expect(realtime.calls).toContain('poke');
    act(() => realtime.change({ status: 'live' }));
    expect(alert()).toBeNull();
  });

  it('takes other words', async () => {
    show(createElement(GlobalAuthBanner, { messages: { expired: 'Abgelaufen', logIn: 'Anmelden' } }));
    await expired();
    expect(alert()?.textContent).toBe('AbgelaufenAnmeldenReload');
  });

  it('renders on a server', () => {
    const html = renderToString(createElement(AuthProvider, { auth: tab.auth }, page()));
    expect(html).toContain('Save');
    expect(html).not.toContain('inert');
  });
});

describe('Layout', () => {
  it('moves the focus to the banner and back, and keeps what was typed', async () => {
    show(page());
    act(() => tab.auth.login(session()));
    const note = screen.getByLabelText('note') as HTMLInputElement;
    act(() => note.focus());
    fireEvent.change(note, { target: { value: 'half a sent' } });
    network(false);
    await ms(5_100);
    expect(document.activeElement).toBe(screen.getByText('Try again'));
    network(true);
    expect(document.activeElement).toBe(note);
    expect(note.value).toBe('half a sent');
  });

  it('leaves a focus alone that is elsewhere', async () => {
    const outside = document.body.appendChild(document.createElement('button'));
    show(page());
    act(() => outside.focus());
    network(false);
    await ms(5_100);
    expect(document.activeElement).toBe(outside);
    outside.remove();
  });
});

function Rows() {
  const { data } = useQuery({
    queryKey: ['tasks', 'list'],
    queryFn: async () => ['row of the server'],
    staleTime: Number.POSITIVE_INFINITY,
    enabled: false,
  });
  return createElement('p', null, (data ?? ['nothing']).join());
}

function Who({ tell }: { tell: (auth: ReturnType<typeof useAuth>) => void }) {
  tell(useAuth());
  return null;
}

describe('AuthProvider', () => {
  for (const where of ['this tab', 'another tab']) {
    it(`P13: logout in ${where} clears the query cache and what is on the page`, async () => {
      const queryClient = new QueryClient();
      const other = open();
      act(() => tab.auth.login(session()));
      await ms(1_000);
      queryClient.setQueryData(['tasks', 'list'], ['row of anna']);
      show(
        createElement(
          QueryClientProvider,
          { client: queryClient },
          createElement(Rows),
          createElement('input', { 'aria-label': 'note' }),
        ),
        { queryClient },
      );
      expect(screen.getByText('row of anna')).toBeTruthy();
      fireEvent.change(screen.getByLabelText('note'), { target: { value: 'anna’s secret' } });
      const whenTold: unknown[] = [];
      tab.auth.subscribe(() => whenTold.push(queryClient.getQueryData(['tasks', 'list'])));
      act(() => (where === 'this tab' ? tab : other).auth.logout());
      await ms(10);
      expect(whenTold).toEqual([undefined]);
      expect(
        queryClient
          .getQueryCache()
          .getAll()
          .filter((q) => q.state.data),
      ).toEqual([]);
      expect(screen.getByText('nothing')).toBeTruthy();
      expect((screen.getByLabelText('note') as HTMLInputElement).value).toBe('');
      queryClient.clear();
    });
  }

  it('P13: the cache is empty when logout() returns, before the server is told', async () => {
    const order: string[] = [];
    const clear = vi.fn(() => order.push(`clear: ${tab.auth.peekToken()}`));
    act(() => tab.auth.login(session()));
    show(page(), { queryClient: { clear } });
    clear.mockClear();
    order.length = 0;
    act(() => {
      tab.auth.logout();
      order.push('returned');
    });
    expect(order).toEqual(['clear: null', 'returned']);
  });

  it('keeps the cache when the same user comes back, and clears it for another', async () => {
    const clear = vi.fn();
    show(page(), { queryClient: { clear } });
    await expired();
    act(() => tab.auth.login(session({ sid: 's-2' })));
    expect(clear).not.toHaveBeenCalled();
    act(() => tab.auth.login(session({ sid: 's-3', userId: 'ben' })));
    expect(clear).toHaveBeenCalledOnce();
    act(() => tab.auth.login(session({ sid: 's-4', userId: 'eve' })));
    expect(clear).toHaveBeenCalledTimes(2);
  });

  it('C11: tells the realtime client of tokens, of logouts and of other users', async () => {
    const realtime = new FakeClient();
    show(page(), { realtime });
    const pokes = () => realtime.calls.filter((call) => call === 'poke').length;
    act(() => tab.auth.login(session()));
    expect(pokes()).toBe(1);
    status = 0;
    browser.setItem('auth-expiry', '0');
    void tab.auth.getToken();
    await ms(200);
    expect(pokes()).toBe(2);
    act(() => tab.auth.logout());
    expect(pokes()).toBe(3);
    cleanup();
    tab.auth.login(session());
    expect(pokes()).toBe(3);
  });

  it('shows a logout of another tab, and leaves a login form usable', async () => {
    const other = open();
    show(page());
    act(() => tab.auth.login(session()));
    await ms(100);
    act(() => other.auth.logout());
    await ms(10);
    expect(alert()?.className).toContain('bellhop-signedOut');
    expect(content().disabled).toBe(false);
    act(() => tab.auth.logout());
    expect(alert()).toBeNull();
  });

  it('useAuth gives the state, the token and the verbs', () => {
    let seen: ReturnType<typeof useAuth> | undefined;
    const tell = (auth: ReturnType<typeof useAuth>) => {
      seen = auth;
    };
    show(createElement(Who, { tell }));
    expect(seen).toMatchObject({ state: 'anonymous', token: null });
    act(() => seen?.login(session()));
    expect(seen).toMatchObject({ state: 'active', token: tab.auth.peekToken(), failures: 0 });
    act(() => seen?.logout());
    expect(seen).toMatchObject({ state: 'loggedOut', token: null });
  });

  it('says what is missing where there is none', () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(() => render(createElement(Layout))).toThrow('<AuthProvider');
  });
});
