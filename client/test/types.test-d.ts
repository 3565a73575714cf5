// What the types promise.
import { expectTypeOf, test } from 'vitest';
import {
  type Cursor,
  createRealtimeClient,
  type GapReason,
  type RealtimeClient,
  type RealtimeError,
  type RealtimeEvent,
  type RealtimeOptions,
  remoteFlag,
  type Snapshot,
} from '../src/index.js';

type Created = RealtimeEvent<'TaskCreated', { taskId: string }>;
type Deleted = RealtimeEvent<'TaskDeleted', { taskId: string; by: string }>;
type TaskEvent = Created | Deleted;
const required = { domain: 'tasks', sessionKey: () => null, getToken: () => null };

test('three options are enough, and none of them can be left out', () => {
  expectTypeOf(createRealtimeClient(required)).toEqualTypeOf<RealtimeClient<RealtimeEvent>>();
  // @ts-expect-error no getToken
  createRealtimeClient({ domain: 'tasks', sessionKey: () => null });
  // @ts-expect-error no such option
  createRealtimeClient({ ...required, pollInterval: 3 });
  // @ts-expect-error a range has two ends
  createRealtimeClient({ ...required, hiddenBackoffMs: [1] });
});

test('the app’s own events narrow by their type', () => {
  const client = createRealtimeClient<TaskEvent>(required);
  client.on('events', ({ events, cursor }) => {
    expectTypeOf(cursor).toEqualTypeOf<Cursor>();
    for (const event of events) {
      if (event.eventType === 'TaskDeleted') expectTypeOf(event.payload.by).toEqualTypeOf<string>();
      // @ts-expect-error only the deleted one has it
      else event.payload.by;
    }
  });
  client.on('gap', ({ reason }) => expectTypeOf(reason).toEqualTypeOf<GapReason>());
  client.on('error', (error) => expectTypeOf(error).toEqualTypeOf<RealtimeError>());
  // @ts-expect-error no such event
  client.on('message', () => {});
});

test('a schema gives the events their type', () => {
  const client = createRealtimeClient({ ...required, schema: (raw): Created | null => raw as Created });
  expectTypeOf(client).toEqualTypeOf<RealtimeClient<Created>>();
});

test('the snapshot is read-only in use, the flag an option, the listener’s end a function', () => {
  const client = createRealtimeClient(required);
  expectTypeOf(client.getSnapshot()).toEqualTypeOf<Snapshot>();
  expectTypeOf(client.subscribe(() => {})).toEqualTypeOf<() => void>();
  expectTypeOf(remoteFlag({ key: 'k' })).toExtend<NonNullable<RealtimeOptions['enabled']>>();
  expectTypeOf<Snapshot['cursor']>().toEqualTypeOf<Cursor | null>();
});
