// The programs of docs/react-query.md, which tsc looks at here and bind.test.ts compares.
import type { QueryClient, QueryKey } from '@tanstack/react-query';
import type { RealtimeClient, RealtimeEvent } from 'bellhop-client';
import { bindQueryClient } from 'bellhop-client/react-query';

interface Task {
  taskId: string;
  status: string;
  version: number;
  createdAt: number;
}
type TaskEvent =
  | RealtimeEvent<'TaskCreated' | 'TaskUpdated', Task>
  | RealtimeEvent<'TaskDeleted', { taskId: string }>;
declare const client: RealtimeClient<TaskEvent>;
declare const queryClient: QueryClient;

const task = {
  id: (e: TaskEvent) => e.payload.taskId,
  version: (rowOrItem: unknown) => (rowOrItem as Task).version, // if your rows have one
  lists: ['tasks', 'list'], // ['tasks', 'list', { status: 'open' }] and so on
  detail: (id: string) => ['tasks', 'one', id],
};

const unbind = bindQueryClient(client, queryClient, {
  entities: {
    TaskCreated: { ...task, op: 'upsert', insert },
    TaskUpdated: { ...task, op: 'upsert', insert },
    TaskDeleted: { ...task, op: 'remove' },
  },
  aggregates: [{ key: ['tasks', 'summary'] }],
});

function insert(list: unknown, item: unknown, key: QueryKey) {
  const row = item as Task;
  const { status, limit = 50 } = (key[2] ?? {}) as { status?: string; limit?: number };
  if (status && row.status !== status) return list;
  return [...(list as Task[]), row].sort((a, b) => b.createdAt - a.createdAt).slice(0, limit);
}

export { unbind };
