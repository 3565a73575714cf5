import type { QueryClient, QueryKey } from '@tanstack/react-query';
import type { RealtimeEvent } from '../types.js';

/** What the events of one type mean for the cached rows. */
export interface EntityBinding<E extends RealtimeEvent = RealtimeEvent> {
  /** `upsert`: the row is there and looks so; `remove`: it is gone. */
  op: 'upsert' | 'remove';
  id: (event: E) => string;
  /** The row, or those of its fields that the event tells: merged into a cached row. Default: the payload. */
  item?: (event: E) => unknown;
  /** Of a row or an item: an older one is never put over a newer one. Without it the event's `seq` decides. */
  version?: (rowOrItem: unknown) => number;
  /** A row's id. Default: the field by which the item holds its own, else `id`. */
  rowId?: (row: unknown) => unknown;
  /** The id under which the creator's own optimistic row may stand: the event takes its place. */
  optimisticId?: (event: E) => string | undefined;
  /** Prefix of the lists' keys: nothing but lists may begin so. */
  lists?: QueryKey;
  detail?: (id: string) => QueryKey;
  /**
   * `list` without the row, and with it: where it belongs by the filter, the order and the page that `key` names.
   * Without the row if it doesn't belong there. Left out: a list that hasn't got the row is fetched again.
   */
  insert?: (list: unknown, item: unknown, key: QueryKey) => unknown;
}

export interface AggregateBinding {
  key: QueryKey;
  /** Fetched at once and then no more often than this, however many events come: 1,000. */
  throttleMs?: number;
}

export interface BindOptions<E extends RealtimeEvent = RealtimeEvent> {
  /** By event type. */
  entities: Record<string, EntityBinding<E>>;
  /** Fetched again after events of these types. */
  aggregates?: AggregateBinding[];
  /** When events were missed. Default: all queries whose key begins as one of the above does are invalidated. */
  onGap?: 'invalidate' | ((queryClient: QueryClient) => void);
  /** While there is no connection, and once more after one of that length or offline, the same queries are fetched again this often: 60,000. */
  degradedRefetchMs?: number;
}
