// page.tsx: our page: a list, sums, a detail, a banner, and somebody signed in; as an
// application would put Bellhop's client together.
import './probe';
import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from '@tanstack/react-query';
import { createRealtimeClient, type RealtimeEvent } from 'bellhop-client';
import { AuthProvider, createAuth, Layout, useAuth } from 'bellhop-client/auth';
import { RealtimeProvider, useRealtime, useRealtimeEvents } from 'bellhop-client/react';
import { bindQueryClient, useLiveStaleTime } from 'bellhop-client/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { List, State, type Task, Ticker, Totals, useComplaint, useTicker } from './board';
import { settings } from './settings';

type TaskEvent = RealtimeEvent<'TaskCreated' | 'Tick' | 'Noise', Task>;

if (!settings.locks) delete (Navigator.prototype as { locks?: unknown }).locks;

const post = (path: string, body?: unknown, more: RequestInit = {}) =>
  fetch(`/api/${path}`, { method: 'POST', body: body === undefined ? null : JSON.stringify(body), ...more });

const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });

const auth = createAuth({
  logout: '/api/logout',
  refresh: async (signal) => {
    const answer = await post('refresh', undefined, { signal });
    if (!answer.ok) throw answer;
    return answer.json();
  },
});

const get = async (path: string) => {
  const answer = await auth.fetch(`/api/${path}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
};

const client = createRealtimeClient<TaskEvent>({
  domain: 'tasks',
  url: settings.realtime,
  sessionKey: auth.sessionKey,
  getToken: auth.getToken,
  onUnauthorized: auth.onUnauthorized,
  transport: settings.transport,
  ...(settings.idle ? { idleBackoffMs: settings.idle } : {}),
});
Object.assign(window, { client, auth, queries });

const note = (text: string) => window.probe.notes.push(`${Date.now()} ${text}`);
client.on('role', ({ role, how }) => note(`${role}, ${how}`));
client.on('gap', ({ reason }) => note(`gap, ${reason}`));
client.on('error', ({ code, message }) => note(`${code}: ${message}`));

bindQueryClient<TaskEvent>(client, queries, {
  entities: {
    TaskCreated: {
      op: 'upsert',
      id: ({ payload }) => payload.taskId,
      item: ({ payload }) => payload,
      version: (task) => (task as Task).version,
      lists: ['tasks', 'list'],
      detail: (id) => ['tasks', 'detail', id],
      insert: (list, task) => [task as Task, ...(list as Task[])].sort((a, b) => b.n - a.n),
    },
  },
  aggregates: [{ key: ['tasks', 'summary'] }, { key: ['tasks', 'stats'] }],
});

function Board() {
  const cache = useQueryClient();
  const { role, status, isConnected } = useRealtime();
  const { logout } = useAuth();
  const staleTime = useLiveStaleTime();
  const [numbers, tick] = useTicker();
  useRealtimeEvents<TaskEvent>(tick, ({ eventType }) => eventType !== 'Noise');
  const list = useQuery<Task[]>({ queryKey: ['tasks', 'list'], queryFn: async () => (await get('tasks')).tasks, staleTime });
  const summary = useQuery({ queryKey: ['tasks', 'summary'], queryFn: () => get('summary'), staleTime });
  const stats = useQuery({ queryKey: ['tasks', 'stats'], queryFn: () => get('stats'), staleTime });
  useComplaint(list.error);

  // The row is shown before the server has it, as mutations with TanStack Query do.
  const create = async () => {
    const row: Task = { taskId: crypto.randomUUID(), n: Date.now(), title: 'New task', status: 'open', version: 0 };
    cache.setQueryData<Task[]>(['tasks', 'list'], (old) => [row, ...(old ?? [])]);
    await auth.fetch('/api/tasks', { method: 'POST', body: JSON.stringify({ id: row.taskId, n: row.n, title: row.title }) });
  };

  return (
    <main>
      <State role={role} status={status} connected={isConnected} />
      <button id="create" onClick={create}>New task</button>
      <button id="ask" onClick={() => get('summary').catch(() => {})}>Ask</button>
      <button id="logout" onClick={() => logout('user')}>Log out</button>
      <Totals summary={summary.data} stats={stats.data} />
      {list.data && <List tasks={list.data} />}
      <Ticker numbers={numbers} />
    </main>
  );
}

function Page() {
  const { state } = useAuth();
  const login = async () => auth.login(await (await post('login', { user: settings.user, org: settings.org })).json());
  const out = state === 'anonymous' || state === 'loggedOut';
  return <Layout>{out ? <button id="login" onClick={login}>Log in</button> : <Board />}</Layout>;
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <AuthProvider auth={auth} queryClient={queries} realtime={client}>
        <RealtimeProvider client={client}>
          <Page />
        </RealtimeProvider>
      </AuthProvider>
    </QueryClientProvider>
  </StrictMode>,
);
