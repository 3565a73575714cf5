import { QueryClient } from '@tanstack/react-query';
import { describe, expectTypeOf, it } from 'vitest';
import * as core from '../../src/auth/core.js';
import * as entry from '../../src/auth/index.js';
import { createRealtimeClient, type RealtimeEvent } from '../../src/index.js';
import { RealtimeProvider, useDomainRealtime, useRealtimeEvents } from '../../src/react/index.js';
import { bindQueryClient } from '../../src/react-query/index.js';

interface Task {
  taskId: string;
}
type TaskEvent = RealtimeEvent<'TaskCreated' | 'TaskDeleted', Task>;

describe('the entries fit together', () => {
  const auth = entry.createAuth({ refresh: async () => ({}) as entry.Session });
  const client = createRealtimeClient<TaskEvent>({
    domain: 'tasks',
    sessionKey: auth.sessionKey,
    getToken: auth.getToken,
    onUnauthorized: auth.onUnauthorized,
    fetch: auth.fetch,
  });
  const queryClient = new QueryClient();

  it('a typed client goes everywhere', () => {
    expectTypeOf(entry.AuthProvider).parameter(0).toMatchTypeOf<{ auth: entry.Auth }>();
    entry.AuthProvider({ auth, queryClient, realtime: client });
    RealtimeProvider({ client });
    core.connectRealtime(auth, client);
  });

  it('payloads are typed in bindings and hooks', () => {
    bindQueryClient(client, queryClient, {
      entities: { TaskCreated: { op: 'upsert', id: (e) => e.payload.taskId } },
    });
    useRealtimeEvents<TaskEvent>((events) => expectTypeOf(events).toEqualTypeOf<readonly TaskEvent[]>());
    expectTypeOf(useDomainRealtime<TaskEvent>).returns.toEqualTypeOf<{
      isLeader: boolean;
      isConnected: boolean;
      lastEventTime: number | null;
    }>;
    // @ts-expect-error a payload has no such field
    bindQueryClient(client, queryClient, { entities: { T: { op: 'remove', id: (e) => e.payload.id } } });
    // @ts-expect-error no such operation
    bindQueryClient(client, queryClient, { entities: { T: { op: 'delete', id: (e) => e.eventId } } });
  });

  it('the core needs no React', () => {
    expectTypeOf(core.createAuth).toEqualTypeOf(entry.createAuth);
    // @ts-expect-error it is with React
    core.AuthProvider;
  });
});
