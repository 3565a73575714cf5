// What one event does to one query's data: pure.
import type { QueryKey } from '@tanstack/react-query';
import { isObject, mapRows, placeOf, type Row } from './rows.js';
import type { EntityBinding } from './types.js';

/** An event as a binding reads it, its own functions called once. */
export interface Patch {
  binding: EntityBinding;
  org: string;
  seq: number;
  id: string;
  /** The ids under which its row may stand. */
  ids: Set<unknown>;
  item: unknown;
  rowId: (row: unknown) => unknown;
}

/** The data can't be told from the event: fetch it. */
export const FETCH = Symbol('fetch');

/** `item` merged into `row`, unless it is older. */
export function merged(binding: EntityBinding, row: unknown, item: unknown): unknown {
  const { version } = binding;
  if (version && version(item) < version(row)) return row;
  return isObject(row) && isObject(item) ? { ...row, ...item } : item;
}

export function patchList(data: unknown, { binding, ids, item, rowId }: Patch, key: QueryKey): unknown {
  const isRow = (value: unknown) => isObject(value) && rowId(value) !== undefined;
  const mine = (row: Row) => ids.has(String(rowId(row)));
  const without = () => mapRows(data, isRow, (row) => (mine(row) ? undefined : row));
  if (binding.op === 'remove') return without();

  let old: Row | undefined;
  let row: Row | undefined;
  const inPlace = mapRows(data, isRow, (each) => {
    if (!mine(each)) return each;
    if (row) return undefined; // the creator's own copy
    old = each;
    row = merged(binding, each, item) as Row;
    return row;
  });
  const { insert } = binding;
  if (!row) return insert ? insert(data, item, key) : FETCH;
  if (!insert || row === old) return inPlace;
  // `insert` may move a row that it knows the place of: one that it would put where it is. Another stays.
  const place = (list: unknown) => placeOf(list, isRow, mine);
  return place(insert(without(), old, key)) === place(data) ? insert(without(), row, key) : inPlace;
}

/** Rows that stand twice, of which the newer one, or the first, stays. */
export function withoutTwins(data: unknown, binding: EntityBinding, rowId: Patch['rowId']): unknown {
  const isRow = (value: unknown) => isObject(value) && rowId(value) !== undefined;
  const newest = new Map<string, Row>();
  let twins = false;
  mapRows(data, isRow, (row) => {
    const id = String(rowId(row));
    const first = newest.get(id);
    if (first) twins = true;
    if (!first || (binding.version?.(row) ?? 0) > (binding.version?.(first) ?? 0)) newest.set(id, row);
    return row;
  });
  if (!twins) return data;
  return mapRows(data, isRow, (row) => {
    const id = String(rowId(row));
    const only = newest.get(id);
    newest.delete(id);
    return only;
  });
}

/** The field by which an item holds its own id names the rows' ids too. */
export function rowIdOf(binding: EntityBinding, item: unknown, id: string): Patch['rowId'] {
  if (binding.rowId) return binding.rowId;
  const field = isObject(item) ? Object.keys(item).find((name) => String(item[name]) === id) : undefined;
  return (row) => (row as Row)[field ?? 'id'];
}
