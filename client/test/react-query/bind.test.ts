import { readFileSync } from 'node:fs';
import { notifyManager, QueryClient, type QueryKey, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type BindOptions, bindQueryClient } from '../../src/react-query/index.js';
import { event, FakeClient } from './client.js';

interface Task {
  taskId: string;
  title?: string;
  status?: string;
  version?: number;
}

const list: QueryKey = ['tasks', 'list'];
let client: FakeClient;
let qc: QueryClient;
let unbind: () => void;

const id = (e: { payload: unknown }) => (e.payload as Task).taskId;
const upsert = { op: 'upsert', id, lists: list, detail: (x: string) => ['tasks', 'one', x] } as const;
const remove = { ...upsert, op: 'remove' } as const;
const prepend = (rows: unknown, item: unknown) => [item, ...(rows as unknown[])];
const version = (x: unknown) => (x as Task).version as number;

beforeEach(() => {
  vi.useFakeTimers();
  client = new FakeClient();
  qc = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  unbind = () => {};
});
afterEach(() => {
  unbind();
  qc.clear();
  vi.useRealTimers();
});

const ms = (n: number) => vi.advanceTimersByTimeAsync(n);
const get = (key: QueryKey = list) => qc.getQueryData<Task[]>(key);

function bind(over: Partial<BindOptions> = {}, extra: object = {}): void {
  unbind = bindQueryClient(client, qc, {
    entities: {
      TaskCreated: { ...upsert, insert: prepend, ...extra },
      TaskUpdated: { ...upsert, insert: prepend, ...extra },
      TaskStatusChanged: { ...upsert, insert: prepend, ...extra },
      TaskDeleted: { ...remove, ...extra },
    },
    ...over,
  });
}

/** A query that somebody looks at. Each fetch waits for `answer`. */
function watched(key: QueryKey = list) {
  const answers: ((rows: unknown) => void)[] = [];
  const started: number[] = [];
  const observer = new QueryObserver(qc, {
    queryKey: key,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () => {
      started.push(Date.now());
      return new Promise((resolve) => answers.push(resolve));
    },
  });
  const off = observer.subscribe(() => {});
  return { observer, off, started, answer: (rows: unknown) => answers.shift()?.(rows) };
}

it('the programs of the guide are those that the compiler sees', () => {
  const seen = readFileSync('test/react-query/documented.ts', 'utf8');
  const shown = [
    ...readFileSync('docs/react-query.md', 'utf8').matchAll(/```ts\n(?:import [^\n]*\n\n)?(.*?)```/gs),
  ];
  expect(shown).toHaveLength(2);
  for (const [, program] of shown) expect(seen).toContain(program);
});

describe('rows', () => {
  it('P1: no list is made where none is cached', async () => {
    bind();
    client.events(event('TaskCreated', { taskId: 't1' }));
    client.events(event('TaskUpdated', { taskId: 't1' }));
    client.events(event('TaskDeleted', { taskId: 't1' }));
    expect(get()).toBeUndefined();
    expect(get(['tasks', 'one', 't1'])).toBeUndefined();
    const fetched = vi.fn(async () => [{ taskId: 't0' }]);
    await qc.fetchQuery({ queryKey: list, queryFn: fetched, staleTime: 25_000 });
    expect(fetched).toHaveBeenCalledOnce();
  });

  it('P1: a list whose first fetch is under way gets the event with its answer', async () => {
    bind();
    const { answer } = watched();
    client.events(event('TaskCreated', { taskId: 't1' }));
    expect(get()).toBeUndefined();
    answer([{ taskId: 't0' }]);
    await ms(1);
    expect(get()?.map((t) => t.taskId)).toEqual(['t1', 't0']);
  });

  it('P2: a row that is there already is not added again', () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't1', title: 'mine' }]);
    client.events(event('TaskCreated', { taskId: 't1', title: 'mine' }));
    expect(get()).toEqual([{ taskId: 't1', title: 'mine' }]);
  });

  it('P2: the creator’s answer that comes after the event is no second row', () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't0' }]);
    client.events(event('TaskCreated', { taskId: 't1', title: 'a' }));
    qc.setQueryData(list, (rows: Task[] = []) => [{ taskId: 't1', title: 'a' }, ...rows]);
    expect(get()?.map((t) => t.taskId)).toEqual(['t1', 't0']);
  });

  it('P2: nor is an optimistic row under a name of its own', () => {
    bind({}, { optimisticId: (e: { payload: { draft?: string } }) => e.payload.draft });
    qc.setQueryData(list, [{ taskId: 'draft-7', title: 'a', local: true }, { taskId: 't0' }]);
    client.events(event('TaskCreated', { taskId: 't1', title: 'a', draft: 'draft-7' }));
    expect(get()?.map((t) => t.taskId)).toEqual(['t1', 't0']);
  });

  it('P2: of two rows the newer one stays, where versions are known', () => {
    bind({}, { version });
    qc.setQueryData(list, [{ taskId: 't1', version: 1, status: 'open' }]);
    client.events(event('TaskUpdated', { taskId: 't1', version: 2, status: 'done' }));
    qc.setQueryData(list, (rows: Task[] = []) => [{ taskId: 't1', version: 1, status: 'open' }, ...rows]);
    expect(get()).toEqual([{ taskId: 't1', version: 2, status: 'done' }]);
  });

  it('P3: a payload of some fields leaves the others', () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't1', title: 'a', status: 'open' }]);
    qc.setQueryData(['tasks', 'one', 't1'], { taskId: 't1', title: 'a', status: 'open' });
    client.events(event('TaskUpdated', { taskId: 't1', status: 'done' }));
    expect(get()).toEqual([{ taskId: 't1', title: 'a', status: 'done' }]);
    expect(get(['tasks', 'one', 't1'])).toEqual({ taskId: 't1', title: 'a', status: 'done' });
  });

  it('P3: an older version is never put over a newer one', () => {
    bind({}, { version });
    qc.setQueryData(list, [{ taskId: 't1', version: 5, status: 'done' }]);
    qc.setQueryData(['tasks', 'one', 't1'], { taskId: 't1', version: 5, status: 'done' });
    client.events(event('TaskUpdated', { taskId: 't1', version: 4, status: 'open' }));
    expect(get()).toEqual([{ taskId: 't1', version: 5, status: 'done' }]);
    expect(get(['tasks', 'one', 't1'])).toMatchObject({ status: 'done' });
  });

  it('P3: without versions, nor is an event with a smaller seq', () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't1' }]);
    client.events(event('TaskUpdated', { taskId: 't1', status: 'done' }, { seq: 9_000 }));
    client.events(event('TaskUpdated', { taskId: 't1', status: 'open' }, { seq: 8_999 }));
    expect(get()).toEqual([{ taskId: 't1', status: 'done' }]);
    client.events(event('TaskDeleted', { taskId: 't1' }, { seq: 9_001 }));
    client.events(event('TaskUpdated', { taskId: 't1', status: 'open' }, { seq: 9_000 }));
    expect(get()).toEqual([]);
  });

  it('P6: StatusChanged is an event like the others, and an unbound one is none', () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't1', title: 'a' }]);
    client.events(event('TaskStatusChanged', { taskId: 't1', status: 'done' }));
    client.events(event('TaskPainted', { taskId: 't1', title: 'b' }), event('toString', { taskId: 't1' }));
    expect(get()).toEqual([{ taskId: 't1', title: 'a', status: 'done' }]);
    expect(client.errors).toEqual([]);
  });

  it('a removed row leaves its lists; its page is fetched if somebody looks at it, else forgotten', async () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't1' }, { taskId: 't2' }]);
    qc.setQueryData(['tasks', 'one', 't2'], { taskId: 't2' });
    const page = watched(['tasks', 'one', 't1']);
    page.answer({ taskId: 't1' });
    await ms(1);
    client.events(event('TaskDeleted', { taskId: 't1' }), event('TaskDeleted', { taskId: 't2' }));
    expect(get()).toEqual([]);
    expect(get(['tasks', 'one', 't2'])).toBeUndefined();
    expect(page.started).toHaveLength(2);
    page.off();
  });

  it('of an infinite query and of an object around the rows are found', () => {
    bind({}, { insert: undefined });
    const pages = {
      pages: [{ rows: [{ taskId: 't1' }], next: 2 }, { rows: [{ taskId: 't2' }] }],
      pageParams: [1, 2],
    };
    qc.setQueryData(['tasks', 'list', 'endless'], pages);
    qc.setQueryData(['tasks', 'list', 'object'], { items: [{ taskId: 't2', title: 'a' }], total: 1 });
    client.events(event('TaskUpdated', { taskId: 't2', status: 'done' }));
    expect(get(['tasks', 'list', 'endless'])).toEqual({
      pages: [{ rows: [{ taskId: 't1' }], next: 2 }, { rows: [{ taskId: 't2', status: 'done' }] }],
      pageParams: [1, 2],
    });
    expect(get(['tasks', 'list', 'object'])).toEqual({
      items: [{ taskId: 't2', title: 'a', status: 'done' }],
      total: 1,
    });
    client.events(event('TaskDeleted', { taskId: 't2' }));
    expect(get(['tasks', 'list', 'object'])).toEqual({ items: [], total: 1 });
  });

  it('with numbers for ids, and with a rowId of their own', () => {
    bind({
      entities: {
        A: { op: 'upsert', id: (e) => String((e.payload as { id: number }).id), lists: ['a'] },
        B: {
          op: 'upsert',
          id: (e) => `${e.payload}`,
          item: () => ({ x: 1 }),
          rowId: (r) => (r as { key: string }).key,
          lists: ['b'],
        },
      },
    });
    qc.setQueryData(['a'], [{ id: 7 }]);
    qc.setQueryData(['b'], [{ key: 'k' }]);
    client.events(event('A', { id: 7, title: 'seven' }), event('B', 'k'));
    expect(qc.getQueryData(['a'])).toEqual([{ id: 7, title: 'seven' }]);
    expect(qc.getQueryData(['b'])).toEqual([{ key: 'k', x: 1 }]);
  });

  it('a patch makes old data no younger and invalidated data no better', () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't1' }], { updatedAt: 1_000 });
    void qc.invalidateQueries({ queryKey: list });
    client.events(event('TaskUpdated', { taskId: 't1', status: 'done' }));
    expect(get()).toEqual([{ taskId: 't1', status: 'done' }]);
    expect(qc.getQueryState(list)).toMatchObject({ dataUpdatedAt: 1_000, isInvalidated: true });
  });
});

describe('P5: lists that know their filter, order and page', () => {
  const key = (status: string | null): QueryKey => ['tasks', 'list', { status }];
  function insert(rows: unknown, item: unknown, [, , filter]: QueryKey): unknown {
    const { status } = filter as { status: string | null };
    const task = item as Task;
    if (status && task.status !== status) return rows;
    return [...(rows as Task[]), task]
      .sort((a, b) => (a.title ?? '').localeCompare(b.title ?? ''))
      .slice(0, 3);
  }
  const titles = (status: string | null) => get(key(status))?.map((t) => t.title);

  beforeEach(() => {
    bind({}, { insert });
    qc.setQueryData(key(null), [
      { taskId: 't1', title: 'b', status: 'open' },
      { taskId: 't2', title: 'd', status: 'done' },
    ]);
    qc.setQueryData(key('open'), [{ taskId: 't1', title: 'b', status: 'open' }]);
    qc.setQueryData(key('done'), [{ taskId: 't2', title: 'd', status: 'done' }]);
  });

  it('a new row goes where it belongs', () => {
    client.events(event('TaskCreated', { taskId: 't3', title: 'c', status: 'open' }));
    expect([titles(null), titles('open'), titles('done')]).toEqual([['b', 'c', 'd'], ['b', 'c'], ['d']]);
  });

  it('a changed row moves within a list, out of one and into another', () => {
    client.events(event('TaskUpdated', { taskId: 't1', title: 'e', status: 'done' }));
    expect([titles(null), titles('open'), titles('done')]).toEqual([['d', 'e'], [], ['d', 'e']]);
  });

  it('a page keeps its size', () => {
    client.events(
      ...['a', 'c', 'e'].map((title) => event('TaskCreated', { taskId: title, title, status: 'x' })),
    );
    expect(titles(null)).toEqual(['a', 'b', 'c']);
  });

  it('an insert that only prepends leaves changed rows where they are', () => {
    unbind();
    bind();
    client.events(event('TaskUpdated', { taskId: 't2', status: 'new' }));
    expect(titles(null)).toEqual(['b', 'd']);
    client.events(event('TaskCreated', { taskId: 't9', title: 'n' }));
    expect(titles(null)).toEqual(['n', 'b', 'd']);
  });

  it('without insert, a list that hasn’t got the row is fetched, at most once a second', async () => {
    unbind();
    bind({}, { insert: undefined });
    const seen = watched(['tasks', 'list', 'live']);
    seen.answer([]);
    await ms(1);
    for (let i = 0; i < 30; i++) {
      client.events(event('TaskCreated', { taskId: `n${i}` }));
      await ms(100);
      seen.answer([]);
    }
    await ms(2_000);
    expect(seen.started.length).toBeGreaterThanOrEqual(4);
    expect(seen.started.length).toBeLessThanOrEqual(5);
    seen.off();
  });
});

describe('P4: a fetch that began before the event', () => {
  it('does not undo it', async () => {
    bind();
    const { answer, observer } = watched();
    answer([{ taskId: 't1', status: 'open' }, { taskId: 't2' }]);
    await ms(1);
    const seen: unknown[] = [];
    const look = () => seen.push(observer.getCurrentResult().data);
    const off = observer.subscribe(notifyManager.batchCalls(look)); // as useQuery does
    void qc.refetchQueries({ queryKey: list });
    client.events(
      event('TaskUpdated', { taskId: 't1', status: 'done' }),
      event('TaskDeleted', { taskId: 't2' }),
      event('TaskCreated', { taskId: 't3' }),
    );
    await ms(1);
    seen.length = 0;
    answer([{ taskId: 't1', status: 'open' }, { taskId: 't2' }]);
    await ms(1);
    const expected = [{ taskId: 't3' }, { taskId: 't1', status: 'done' }];
    expect(get()).toEqual(expected);
    expect(observer.getCurrentResult().data).toEqual(expected);
    await ms(100);
    expect(seen.length).toBeGreaterThan(0);
    for (const data of seen) expect(data).toEqual(expected); // nobody saw the older one in between
    off();
  });

  it('but what it knows better by version stays', async () => {
    bind({}, { version });
    const { answer } = watched();
    answer([{ taskId: 't1', version: 1 }]);
    await ms(1);
    void qc.refetchQueries({ queryKey: list });
    client.events(event('TaskUpdated', { taskId: 't1', version: 2, status: 'x' }));
    answer([{ taskId: 't1', version: 3, status: 'y' }]);
    await ms(1);
    expect(get()).toEqual([{ taskId: 't1', version: 3, status: 'y' }]);
  });

  it('that was under way when the cache was bound counts too, and so does a detail’s', async () => {
    const one = watched(['tasks', 'one', 't1']);
    bind();
    client.events(event('TaskUpdated', { taskId: 't1', status: 'done' }));
    one.answer({ taskId: 't1', status: 'open', title: 'a' });
    await ms(1);
    expect(get(['tasks', 'one', 't1'])).toEqual({ taskId: 't1', status: 'done', title: 'a' });
  });

  it('that fails leaves the patch, and the next one starts from scratch', async () => {
    bind();
    let fail = true;
    const fetchOnce = () =>
      qc.fetchQuery({
        queryKey: list,
        queryFn: async () => {
          await new Promise((r) => setTimeout(r, 10));
          if (fail) throw new Error('down');
          return [{ taskId: 't1', status: 'server' }];
        },
      });
    qc.setQueryData(list, [{ taskId: 't1' }], { updatedAt: 1 });
    const first = fetchOnce().catch(() => {});
    client.events(event('TaskUpdated', { taskId: 't1', status: 'done' }));
    await ms(20);
    await first;
    expect(get()).toEqual([{ taskId: 't1', status: 'done' }]);
    fail = false;
    const second = fetchOnce();
    await ms(20);
    await second;
    expect(get()).toEqual([{ taskId: 't1', status: 'server' }]);
  });

  it('and ended after more events than are remembered is done again', async () => {
    bind();
    const { answer, started, off } = watched();
    for (let i = 0; i < 1_100; i++) client.events(event('TaskCreated', { taskId: `n${i}` }));
    answer([]);
    await ms(10);
    answer([{ taskId: 'fresh' }]);
    await ms(10);
    expect(started).toHaveLength(2);
    expect(get()).toEqual([{ taskId: 'fresh' }]);
    off();
  });
});

describe('P7: an application’s function that throws', () => {
  it('costs no other event, is told, and its list is fetched', async () => {
    bind(
      {},
      {
        insert: (rows: unknown, item: unknown) => {
          if ((item as Task).title === 'bad') throw new Error('cannot sort');
          return prepend(rows, item);
        },
      },
    );
    const { answer, started, off } = watched();
    answer([]);
    await ms(1);
    client.events(
      event('TaskCreated', { taskId: 't1' }),
      event('TaskCreated', { taskId: 't2', title: 'bad' }),
      event('TaskCreated', null),
      event('TaskCreated', { taskId: 't3' }),
    );
    expect(get()?.map((t) => t.taskId)).toEqual(['t3', 't1']);
    expect(client.errors).toHaveLength(1);
    await ms(1);
    expect(started).toHaveLength(2);
    answer([{ taskId: 't3' }, { taskId: 't2' }, { taskId: 't1' }]);
    await ms(1);
    expect(get()).toHaveLength(3);
    off();
  });
});

describe('P9: aggregates', () => {
  async function stream(forMs: number, everyMs: number, answerAfterMs = 0): Promise<number[]> {
    const starts: number[] = [];
    bind({ aggregates: [{ key: ['tasks', 'summary'] }] });
    const observer = new QueryObserver(qc, {
      queryKey: ['tasks', 'summary'],
      staleTime: Number.POSITIVE_INFINITY,
      queryFn: async () => {
        starts.push(Date.now());
        await new Promise((done) => setTimeout(done, answerAfterMs));
        return starts.length;
      },
    });
    const off = observer.subscribe(() => {});
    await ms(answerAfterMs + 1);
    starts.length = 0;
    for (let t = 0; t < forMs; t += everyMs) {
      client.events(event('TaskUpdated', { taskId: 't1' }));
      await ms(everyMs);
    }
    const last = Date.now() - everyMs;
    await ms(10_000);
    expect(starts.at(-1)).toBeGreaterThanOrEqual(last);
    off();
    return starts;
  }

  it('of one event are fetched once, at once', async () => {
    expect(await stream(1, 1)).toHaveLength(1);
  });

  it('of a stream are fetched all along, never twice within a second, and once after its end', async () => {
    const starts = await stream(5_000, 100);
    expect(starts.length).toBeGreaterThanOrEqual(5);
    expect(starts.length).toBeLessThanOrEqual(7);
    for (let i = 1; i < starts.length; i++) {
      expect((starts[i] as number) - (starts[i - 1] as number)).toBeGreaterThan(1_000);
    }
  });

  it('that take longer than the pause come through all the same', async () => {
    const starts = await stream(6_000, 50, 1_400);
    expect(starts.length).toBeGreaterThanOrEqual(3);
    expect(qc.getQueryState(['tasks', 'summary'])?.dataUpdateCount).toBe(starts.length + 1);
  });

  it('are not fetched for events of other types', async () => {
    bind({ aggregates: [{ key: ['tasks', 'summary'] }] });
    const summary = watched(['tasks', 'summary']);
    summary.answer(1);
    await ms(1);
    client.events(event('Other', {}));
    await ms(5_000);
    expect(summary.started).toHaveLength(1);
    summary.off();
  });
});

describe('outages', () => {
  function page() {
    const rows = watched();
    rows.answer([]);
    return rows;
  }

  it('P12: while there is no connection the queries are fetched every 60 s, not once', async () => {
    bind();
    const { started, answer, off } = page();
    await ms(1);
    client.change({ status: 'degraded' });
    for (let i = 0; i < 3; i++) {
      await ms(60_000);
      answer([]);
    }
    await ms(100);
    expect(started).toHaveLength(4);
    client.change({ status: 'live' });
    await ms(1);
    answer([]);
    await ms(300_000);
    expect(started).toHaveLength(5);
    off();
  });

  it('P12: after having been offline they are fetched at once', async () => {
    bind();
    const { started, answer, off } = page();
    await ms(1);
    client.change({ status: 'degraded' });
    await ms(5_000);
    client.change({ status: 'offline' });
    client.change({ status: 'connecting' });
    expect(started).toHaveLength(1);
    client.change({ status: 'live' });
    await ms(1);
    expect(started).toHaveLength(2);
    answer([]);
    off();
  });

  it('a short outage, and one that nobody waits in, cost no fetch', async () => {
    bind();
    const { started, off } = page();
    await ms(1);
    client.change({ status: 'degraded' });
    await ms(3_000);
    client.change({ status: 'live' });
    for (const status of ['paused', 'unauthorized', 'idle', 'closed'] as const) {
      client.change({ status });
      await ms(200_000);
    }
    expect(started).toHaveLength(1);
    off();
  });

  it('a switched-off client leaves plain polling', async () => {
    bind();
    const { started, off } = page();
    await ms(1);
    client.change({ status: 'disabled' });
    await ms(60_100);
    expect(started).toHaveLength(2);
    off();
  });

  it('a gap invalidates all that is bound, and nothing else', async () => {
    bind({ aggregates: [{ key: ['summary'] }] });
    for (const key of [list, ['tasks', 'one', 't1'], ['summary', 'x'], ['other']]) qc.setQueryData(key, []);
    client.emit('gap', { reason: 'expired', cursor: 'c' as never });
    const invalid = qc.getQueryCache().findAll({ predicate: (q) => q.state.isInvalidated });
    expect(invalid.map((q) => q.queryKey)).toEqual([list, ['tasks', 'one', 't1'], ['summary', 'x']]);
  });

  it('after a gap a log that counts anew is believed, and an org’s rows are its own', () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't1' }]);
    client.events(event('TaskUpdated', { taskId: 't1', status: 'a' }, { seq: 99_999 }));
    client.events(event('TaskUpdated', { taskId: 't1', status: 'b' }, { seq: 5, orgId: 'other' }));
    expect(get()).toEqual([{ taskId: 't1', status: 'b' }]);
    client.emit('gap', { reason: 'log', cursor: 'c' as never });
    client.events(event('TaskUpdated', { taskId: 't1', status: 'c' }, { seq: 1 }));
    expect(get()).toEqual([{ taskId: 't1', status: 'c' }]);
  });

  it('a gap can be the application’s own affair', () => {
    const onGap = vi.fn();
    bind({ onGap });
    qc.setQueryData(list, []);
    client.emit('gap', { reason: 'log', cursor: 'c' as never });
    expect(onGap).toHaveBeenCalledWith(qc);
    expect(qc.getQueryState(list)?.isInvalidated).toBe(false);
  });
});

describe('the end', () => {
  it('P10: no timer and no listener is left', async () => {
    bind({ aggregates: [{ key: ['tasks', 'summary'] }] });
    qc.setQueryData(list, [{ taskId: 't1' }]);
    const before = vi.getTimerCount();
    client.change({ status: 'degraded' });
    client.events(event('TaskUpdated', { taskId: 't1', status: 'done' }));
    expect(vi.getTimerCount()).toBeGreaterThan(before);
    unbind();
    expect(client.listeners()).toBe(0);
    client.events(event('TaskUpdated', { taskId: 't1', status: 'late' }));
    client.change({ status: 'live' });
    expect(get()).toEqual([{ taskId: 't1', status: 'done' }]);
    qc.clear(); // its own timers
    await ms(1);
    expect(vi.getTimerCount()).toBe(0);
    expect(qc.getQueryCache().hasListeners()).toBe(false);
  });

  it('P8: what was applied is remembered by the row’s seq, not by a component', () => {
    bind();
    qc.setQueryData(list, [{ taskId: 't1' }]);
    const created = event('TaskCreated', { taskId: 't2' });
    client.events(created);
    client.events(event('TaskDeleted', { taskId: 't2' }));
    client.events(created);
    expect(get()).toEqual([{ taskId: 't1' }]);
  });

  it('P22: a burst of 500 events is 500 rows, one change for whoever looks', async () => {
    bind({ aggregates: [{ key: ['tasks', 'summary'] }] });
    const { answer, observer, off } = watched();
    answer([]);
    await ms(1);
    const results: unknown[] = [];
    const stop = observer.subscribe((result) => results.push(result.data));
    client.events(...Array.from({ length: 500 }, (_, i) => event('TaskCreated', { taskId: `t${i}` })));
    await ms(1);
    expect(get()).toHaveLength(500);
    expect(results).toHaveLength(1);
    stop();
    off();
  });
});
