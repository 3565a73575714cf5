// page.tsx: the baseline's page: what the playbook's third phase describes, its defects
// included, written afresh from its description.
//
//   - a list that is not there yet becomes a list of the one new row;
//   - a new row goes to the front whether it is there already or not;
//   - sums wait for a pause in the events, however long there is none;
//   - nothing is fetched when the connection is back.
//
// Of the fourth phase the playbook has a list of wishes and no code. What the page can't
// do without is here: a token, and its end by the channel that the hook listens on.
import '../app/probe';
import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { List, State, type Task, Ticker, Totals, useTicker } from '../app/board';
import { settings } from '../app/settings';
import { useDrain } from './hook';

if (!settings.locks) Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }), delete (Navigator.prototype as { locks?: unknown }).locks;

const tokenKey = 'auth-token';

function useToken() {
  const [token, setToken] = useState(() => localStorage.getItem(tokenKey));
  useEffect(() => {
    const control = new BroadcastChannel('auth-control');
    control.onmessage = ({ data }) => data.type === 'logout' && setToken(null);
    return () => control.close();
  }, []);
  const login = async () => {
    const answer = await fetch('/api/login', { method: 'POST', body: JSON.stringify({ user: settings.user, org: settings.org }) });
    const { accessToken } = await answer.json();
    localStorage.setItem(tokenKey, accessToken);
    setToken(accessToken);
  };
  const logout = () => {
    localStorage.removeItem(tokenKey);
    setToken(null);
    const control = new BroadcastChannel('auth-control');
    control.postMessage({ type: 'logout' });
    control.close();
    localStorage.setItem('auth-logout', String(Date.now()));
  };
  return { token, login, logout };
}

function useDebounced(client: QueryClient) {
  const timers = useRef(new Map<string, number>()).current;
  return useCallback((key: string[], ms: number) => {
    const name = key.join(' ');
    clearTimeout(timers.get(name));
    timers.set(name, window.setTimeout(() => void client.invalidateQueries({ queryKey: key }), ms));
  }, [client, timers]);
}

function Board({ token, logout }: { token: string; logout: () => void }) {
  const client = useQueryClient();
  const debounced = useDebounced(client);
  const done = useRef(new Set<string>()).current;
  const [numbers, tick] = useTicker();

  const onEvents = useCallback((events: { eventId: string; eventType: string; payload: Task }[]) => {
    for (const event of events) {
      if (done.has(event.eventId)) continue;
      done.add(event.eventId);
      if (done.size > 1000) [...done].slice(0, 100).forEach((id) => done.delete(id));
      if (event.eventType !== 'TaskCreated' && event.eventType !== 'Tick') continue;
      tick([event]);
      if (event.eventType === 'Tick') continue;
      client.setQueryData<Task[]>(['tasks', 'list'], (old) => (old ? [event.payload, ...old] : [event.payload]));
      client.setQueryData(['tasks', event.payload.taskId], event.payload);
      debounced(['tasks', 'summary'], 1000);
      debounced(['tasks', 'stats'], 1500);
    }
  }, [client, debounced, done, tick]);

  const { leading, connected } = useDrain({ base: settings.realtime, token, onEvents: onEvents as never });
  const get = async (path: string) => {
    const answer = await fetch(`/api/${path}`, { headers: { Authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };
  const list = useQuery<Task[]>({ queryKey: ['tasks', 'list'], queryFn: async () => (await get('tasks')).tasks, staleTime: connected ? 25_000 : 10_000, refetchOnWindowFocus: true });
  const summary = useQuery({ queryKey: ['tasks', 'summary'], queryFn: () => get('summary'), staleTime: connected ? 30_000 : 15_000 });
  const stats = useQuery({ queryKey: ['tasks', 'stats'], queryFn: () => get('stats'), staleTime: connected ? 30_000 : 15_000 });

  useEffect(() => {
    if (connected) return;
    const timer = setTimeout(() => void client.invalidateQueries({ queryKey: ['tasks'] }), 60_000);
    return () => clearTimeout(timer);
  }, [connected, client]);

  // The row is shown before the server has it, as mutations with TanStack Query do.
  const create = async () => {
    const row: Task = { taskId: crypto.randomUUID(), n: Date.now(), title: 'New task', status: 'open', version: 0 };
    client.setQueryData<Task[]>(['tasks', 'list'], (old) => [row, ...(old ?? [])]);
    await fetch('/api/tasks', { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body: JSON.stringify({ id: row.taskId, n: row.n, title: row.title }) });
  };

  return (
    <main>
      <State role={leading ? 'leader' : 'follower'} status={connected ? 'live' : 'connecting'} connected={connected} />
      <button id="create" onClick={create}>New task</button>
      <button id="ask" onClick={() => get('summary').catch(() => {})}>Ask</button>
      <button id="logout" onClick={logout}>Log out</button>
      <Totals summary={summary.data} stats={stats.data} />
      <List tasks={list.data ?? []} />
      <Ticker numbers={numbers} />
    </main>
  );
}

function Page() {
  const { token, login, logout } = useToken();
  return token ? <Board token={token} logout={logout} /> : <button id="login" onClick={login}>Log in</button>;
}

createRoot(document.getElementById('root')!).render(
  <QueryClientProvider client={new QueryClient()}>
    <Page />
  </QueryClientProvider>,
);
