// The lists in the cache, each with its filter, and what a task does to them.
import type { QueryClient } from '@tanstack/react-query';
import type { Filter, Task } from './types';

export const listsKey = ['tasks', 'list'] as const;
export const listKey = (filter: Filter) => [...listsKey, filter] as const;
export const summaryKey = ['tasks', 'summary'] as const;

export const filterOf = (key: readonly unknown[]): Filter => key[2] as Filter;

const belongs = (task: Task, filter: Filter): boolean =>
  (filter.property === '' || task.propertyId === filter.property) && (filter.assignee === '' || task.assignee === filter.assignee);

// A task never goes back in time, whatever order answer and event come in.
export function withTask(list: Task[], task: Task, filter: Filter): Task[] {
  const known = list.find((one) => one.taskId === task.taskId);
  if (known && known.version > task.version) return list;
  const others = list.filter((one) => one.taskId !== task.taskId);
  if (!belongs(task, filter)) return known ? others : list;
  return [task, ...others].sort((a, b) => b.updatedAt - a.updatedAt);
}

export function putTask(queries: QueryClient, task: Task): void {
  for (const [key, list] of queries.getQueriesData<Task[]>({ queryKey: listsKey })) {
    if (list) queries.setQueryData(key, withTask(list, task, filterOf(key)));
  }
}

export function dropTask(queries: QueryClient, id: string): void {
  queries.setQueriesData<Task[]>({ queryKey: listsKey }, (list) => list?.filter((one) => one.taskId !== id));
}
