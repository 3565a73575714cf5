// Events into a TanStack Query cache.
import type { Query, QueryClient } from '@tanstack/react-query';
import type { RealtimeClient, RealtimeEvent, Status } from '../types.js';
import { createJournal, outcomeOf } from './journal.js';
import { FETCH, merged, type Patch, patchList, rowIdOf, withoutTwins } from './patch.js';
import { createRefetcher } from './throttle.js';
import type { BindOptions, EntityBinding } from './types.js';

const EVERY_MS = 1_000;
/** Rows whose newest event is remembered. */
const ROWS = 5_000;
/** In these nobody waits for events: nothing is to be made up for. */
const AT_REST: readonly Status[] = ['idle', 'paused', 'unauthorized', 'closed'];

/** Patches the cache by the client's events until the function that it returns is called. */
export function bindQueryClient<E extends RealtimeEvent>(
  client: RealtimeClient<E>,
  queryClient: QueryClient,
  options: BindOptions<E>,
): () => void {
  const entities = options.entities as unknown as Record<string, EntityBinding>;
  const { aggregates = [], onGap = 'invalidate' } = options;
  const cache = queryClient.getQueryCache();
  const journal = createJournal();
  const refetcher = createRefetcher(queryClient);
  const newest = new Map<string, number>();
  const rowIds = new Map<EntityBinding, Patch['rowId']>();
  const roots = rootsOf(options as unknown as BindOptions);
  let writing = false;
  let failure: { cause: unknown } | undefined;

  function missed(): void {
    newest.clear(); // another log counts anew
    if (onGap === 'invalidate') invalidateAll();
    else onGap(queryClient);
  }

  const invalidateAll = () => {
    for (const root of roots) void queryClient.invalidateQueries({ queryKey: [root] });
  };

  // ---- events ----

  function apply(events: readonly RealtimeEvent[]): void {
    const todo = new Map<Query, Patch[]>();
    let known = false;
    for (const event of events) {
      const binding = Object.hasOwn(entities, event.eventType) ? entities[event.eventType] : undefined;
      if (!binding) continue;
      known = true;
      attempt(
        () => {
          const patch = read(event, binding);
          if (!isNews(patch)) return;
          journal.add(patch);
          for (const query of targets(patch)) todo.set(query, [...(todo.get(query) ?? []), patch]);
        },
        () => fetchLists(binding),
      );
    }
    for (const [query, patches] of todo) put(query, patches);
    if (known) {
      aggregates.forEach(({ key, throttleMs = EVERY_MS }, i) => {
        refetcher.ask(`aggregate ${i}`, { queryKey: key }, throttleMs);
      });
    }
    const failed = failure;
    failure = undefined;
    if (failed) throw failed.cause; // the client tells it, as any listener's
  }

  function read(event: RealtimeEvent, binding: EntityBinding): Patch {
    const id = binding.id(event);
    const item = binding.item ? binding.item(event) : event.payload;
    const rowId = rowIdOf(binding, item, id);
    rowIds.set(binding, rowId);
    return {
      binding,
      org: event.orgId,
      seq: event.seq,
      id,
      ids: new Set([id, binding.optimisticId?.(event)]),
      item,
      rowId,
    };
  }

  function isNews({ binding, id, org, seq }: Patch): boolean {
    const row = JSON.stringify([org, binding.lists, binding.detail?.(id), id]);
    if (seq <= (newest.get(row) ?? -1)) return false;
    newest.delete(row); // the newest last: the oldest is forgotten first
    newest.set(row, seq);
    for (const oldest of newest.keys()) {
      if (newest.size <= ROWS) break;
      newest.delete(oldest);
    }
    return true;
  }

  const listsOf = ({ lists }: EntityBinding) => (lists ? cache.findAll({ queryKey: lists }) : []);
  const detailOf = ({ binding, id }: Patch) =>
    binding.detail && cache.find({ queryKey: binding.detail(id), exact: true });

  function targets(patch: Patch): Query[] {
    const detail = detailOf(patch);
    return detail ? [...listsOf(patch.binding), detail] : listsOf(patch.binding);
  }

  /** The patches on what the query holds, as one change. A query without data is left to its fetch. */
  function put(query: Query, patches: Patch[]): void {
    let { data } = query.state;
    if (data === undefined) return;
    let gone = false;
    for (const patch of patches) {
      attempt(
        () => {
          const { binding, item } = patch;
          gone = query === detailOf(patch) && binding.op === 'remove';
          if (gone) return;
          const next =
            query === detailOf(patch) ? merged(binding, data, item) : patchList(data, patch, query.queryKey);
          if (next === FETCH) fetchAgain(query);
          else if (next !== undefined) data = next;
        },
        () => fetchAgain(query),
      );
    }
    if (!gone) write(query, data);
    else if (query.isActive()) void queryClient.invalidateQueries({ queryKey: query.queryKey, exact: true });
    else cache.remove(query);
  }

  /** As old and as stale as before: a patch is no proof of the rest. */
  function write(query: Query, data: unknown): void {
    const { isInvalidated, dataUpdatedAt } = query.state;
    if (data === query.state.data) return;
    writing = true;
    try {
      query.setData(data, { updatedAt: dataUpdatedAt, manual: true });
      if (isInvalidated) query.invalidate();
    } finally {
      writing = false;
    }
  }

  function fetchAgain(query: Query): void {
    refetcher.ask(query.queryHash, { queryKey: query.queryKey, exact: true }, EVERY_MS);
  }

  function fetchLists(binding: EntityBinding): void {
    for (const query of listsOf(binding)) fetchAgain(query);
  }

  /** The application's functions may throw: the others go on, and what can't be patched is fetched. */
  function attempt(run: () => void, instead: () => void): void {
    try {
      run();
    } catch (cause) {
      failure ??= { cause };
      instead();
    }
  }

  // ---- fetches ----

  const offCache = cache.subscribe((notice) => {
    const outcome = writing ? 'nothing' : outcomeOf(notice);
    const { query } = notice;
    if (outcome === 'nothing') return;
    if (outcome === 'began') journal.began(query);
    else if (outcome === 'written') dropTwins(query);
    else {
      const missed = journal.ended(query);
      if (outcome === 'ended') return;
      if (missed) {
        const mine = missed.filter((patch) => targets(patch).includes(query));
        if (mine.length) put(query, mine);
      } else fetchAgain(query);
    }
  });
  for (const query of cache.getAll()) {
    if (query.state.fetchStatus !== 'idle') journal.began(query);
  }

  /** The creator's own answer came after the event, and was put beside it. */
  function dropTwins(query: Query): void {
    for (const [binding, rowId] of rowIds) {
      if (!listsOf(binding).includes(query)) continue;
      attempt(
        () => write(query, withoutTwins(query.state.data, binding, rowId)),
        () => fetchAgain(query),
      );
    }
  }

  // ---- outages ----

  let outage: { offline: boolean; since: number; timer: ReturnType<typeof setInterval> } | undefined;
  const every = options.degradedRefetchMs ?? 60_000;

  function watch(): void {
    const { status } = client.getSnapshot();
    if (status === 'live' || AT_REST.includes(status)) {
      const over = status === 'live' ? outage : undefined;
      clearInterval(outage?.timer);
      outage = undefined;
      // A short one needs no repair: the cursor brings what was missed.
      if (over && (over.offline || performance.now() - over.since >= every)) invalidateAll();
      return;
    }
    outage ??= { offline: false, since: performance.now(), timer: setInterval(invalidateAll, every) };
    if (status === 'offline') outage.offline = true;
  }
  watch();

  const offs = [
    offCache,
    client.subscribe(watch),
    client.on('events', ({ events }) => apply(events)),
    client.on('gap', missed),
  ];
  return () => {
    for (const off of offs) off();
    refetcher.close();
    clearInterval(outage?.timer);
    outage = undefined;
  };
}

/** What the keys of everything that is bound begin with. */
function rootsOf({ entities, aggregates = [] }: BindOptions): Set<unknown> {
  const keys = Object.values(entities).flatMap(({ lists, detail }) => [lists, detail?.('')]);
  const firsts = [...keys, ...aggregates.map(({ key }) => key)].map((key) => key?.[0]);
  return new Set(firsts.filter((first) => first !== undefined));
}
