// Bellhop in this page: one client, bound to the cache.
import { QueryClient } from '@tanstack/react-query';
import { beaconSink, createRealtimeClient } from 'bellhop-client';
import { bindQueryClient } from 'bellhop-client/react-query';
import { Activity, describe, type Happening } from './activity';
import { cursorOfRows, fetchTasks, forgetCursor } from './api';
import { filterOf, listsKey, summaryKey, withTask } from './lists';
import { Refused, base } from './server';
import { auth } from './session';
import type { Filter, Hotel, Task, TaskEvent } from './types';

export const queries = new QueryClient({
  defaultOptions: {
    queries: { retry: (failures, error) => !(error instanceof Refused && error.status < 500) && failures < 3 },
  },
});

export const client = createRealtimeClient<TaskEvent>({
  domain: 'tasks',
  ...(base ? { url: base } : {}),
  sessionKey: () => auth.sessionKey(),
  getToken: () => auth.getToken(),
  onUnauthorized: (failed) => auth.onUnauthorized(failed),
  initialCursor: () => cursorOfRows(),
  telemetry: beaconSink(`${base}/telemetry/client`),
});

export const activity = new Activity();

const firstName = (id: string): string => {
  const hotel = queries.getQueryData<Hotel>(['hotel']);
  return hotel?.staff.find((one) => one.id === id)?.name.split(' ')[0] ?? id;
};

const happening = (event: TaskEvent): Happening => ({
  id: event.eventId,
  taskId: event.payload.taskId,
  title: event.payload.title,
  propertyId: event.payload.propertyId,
  by: event.payload.updatedBy,
  what: describe(event, activity.known(event.payload.taskId), firstName),
  at: Date.now(),
});

client.on('events', ({ events }) => {
  const news = events.map((event) => {
    const one = happening(event);
    activity.remember([event.payload]);
    return one;
  });
  activity.add(news);
});

export async function loadTasks(filter: Filter, signal: AbortSignal): Promise<Task[]> {
  const tasks = await fetchTasks(filter, signal);
  activity.remember(tasks);
  return tasks;
}

const upsert = {
  op: 'upsert' as const,
  id: (event: TaskEvent) => event.payload.taskId,
  item: (event: TaskEvent) => event.payload,
  version: (task: unknown) => (task as Task).version,
  lists: listsKey,
  insert: (list: unknown, item: unknown, key: readonly unknown[]) => withTask(list as Task[], item as Task, filterOf(key)),
};

bindQueryClient(client, queries, {
  entities: {
    TaskCreated: upsert,
    TaskUpdated: upsert,
    TaskDeleted: { ...upsert, op: 'remove' },
  },
  aggregates: [{ key: summaryKey }],
});

// What one person saw happen is none of the next one's business, and the next
// one's stream begins where the next one's rows end.
let person = auth.sessionKey();
auth.subscribe(() => {
  if (auth.sessionKey() === person) return;
  person = auth.sessionKey();
  activity.clear();
  forgetCursor();
});
