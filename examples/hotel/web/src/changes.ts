// Changes are shown at once and made good, or taken back, when the server answers.
import { type UseMutationResult, useMutation, useQueryClient } from '@tanstack/react-query';
import { type Change, type NewTask, changeTask, createTask, deleteTask } from './api';
import { dropTask, listsKey, putTask, summaryKey } from './lists';
import { Refused } from './server';
import type { Task } from './types';

export interface Changes {
  create: UseMutationResult<Task, Error, NewTask>;
  change: UseMutationResult<Task, Error, { task: Task; change: Change }>;
  remove: UseMutationResult<void, Error, Task>;
}

function wordsFor(error: Error): string {
  if (!(error instanceof Refused)) return 'Not saved: the server can’t be reached.';
  if (error.status === 401) return 'Not saved: sign in again.';
  if (error.code === 'conflict') return 'Somebody was faster. This is how the task stands now.';
  return `Not saved: ${error.message}`;
}

export function useChanges(me: string, complain: (text: string) => void): Changes {
  const queries = useQueryClient();
  const fail = (error: Error): void => {
    complain(wordsFor(error));
    void queries.invalidateQueries({ queryKey: listsKey });
  };
  const settle = (): void => void queries.invalidateQueries({ queryKey: summaryKey });

  const create = useMutation({
    mutationFn: createTask,
    onMutate: (draft) => {
      const now = Date.now();
      putTask(queries, { ...draft, status: 'open', createdBy: me, createdAt: now, updatedBy: me, updatedAt: now, version: 0 });
    },
    onSuccess: (task) => putTask(queries, task),
    onError: (error, draft) => {
      dropTask(queries, draft.taskId);
      fail(error);
    },
    onSettled: settle,
  });
  // The version stays as it was until the server gives the next one.
  const change = useMutation({
    mutationFn: ({ task, change }: { task: Task; change: Change }) => changeTask(task.taskId, change, task.version),
    onMutate: ({ task, change }) => putTask(queries, { ...task, ...change }),
    onSuccess: (task) => putTask(queries, task),
    onError: (error, { task }) => {
      putTask(queries, task);
      fail(error);
    },
    onSettled: settle,
  });
  const remove = useMutation({
    mutationFn: (task: Task) => deleteTask(task.taskId),
    onMutate: (task) => dropTask(queries, task.taskId),
    onError: (error, task) => {
      putTask(queries, task);
      fail(error);
    },
    onSettled: settle,
  });
  return { create, change, remove };
}
