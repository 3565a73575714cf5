// The board's requests, each with the token of the moment.
import type { Cursor } from 'bellhop-client';
import { base, json, read } from './server';
import { auth } from './session';
import type { Filter, Hotel, Summary, Task } from './types';

const call = async <T>(path: string, init?: RequestInit): Promise<T> => read<T>(await auth.fetch(`${base}/hotel/api/${path}`, init));

export const fetchHotel = (signal: AbortSignal): Promise<Hotel> => call('hotel', { signal });

export const fetchSummary = (signal: AbortSignal): Promise<Summary> => call('summary', { signal });

// Where the first rows end: the stream of events goes on from there. The
// backend read it before it read the rows, so nothing falls between the two.
let firstCursor: Cursor | null = null;
export const cursorOfRows = (): Cursor | null => firstCursor;
export const forgetCursor = (): void => {
  firstCursor = null;
};

export async function fetchTasks(filter: Filter, signal: AbortSignal): Promise<Task[]> {
  const query = new URLSearchParams();
  if (filter.property) query.set('propertyId', filter.property);
  if (filter.assignee) query.set('assignee', filter.assignee);
  const page = await call<{ tasks: Task[]; cursor: Cursor | null }>(`tasks?${query}`, { signal });
  firstCursor ??= page.cursor;
  return page.tasks;
}

export type NewTask = Pick<Task, 'taskId' | 'propertyId' | 'title' | 'room' | 'notes' | 'priority' | 'assignee'>;
export type Change = Partial<Pick<Task, 'title' | 'room' | 'notes' | 'status' | 'priority' | 'assignee'>>;

export const createTask = (task: NewTask): Promise<Task> => call('tasks', json('POST', task));

export const changeTask = (id: string, change: Change, version: number): Promise<Task> =>
  call(`tasks/${id}`, json('PATCH', { ...change, version }));

export const deleteTask = (id: string): Promise<void> => call(`tasks/${id}`, { method: 'DELETE' });
