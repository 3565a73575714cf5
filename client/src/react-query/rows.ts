// Rows within cached data: an array of them, an object with such arrays, or the pages of an infinite query.

export type Row = Record<string, unknown>;
/** What becomes of a row: itself, another, or nothing. */
export type Change = (row: Row) => Row | undefined;
export type IsRow = (value: unknown) => boolean;

/** pages → page → its array → row */
const DEPTH = 4;

export function isObject(value: unknown): value is Row {
  return typeof value === 'object' && value !== null;
}

/** `data` with its rows changed; the same object where nothing has. */
export function mapRows(data: unknown, isRow: IsRow, change: Change, depth = DEPTH): unknown {
  if (!isObject(data) || depth === 0) return data;
  let same = true;
  const visit = (value: unknown) => {
    const next = isRow(value) ? change(value as Row) : mapRows(value, isRow, change, depth - 1);
    if (next !== value) same = false;
    return next;
  };
  const next = Array.isArray(data)
    ? data.map(visit).filter((value, i) => value !== undefined || data[i] === undefined)
    : Object.fromEntries(
        Object.entries(data).map(([key, value]) => [key, isRow(value) ? value : visit(value)]),
      );
  return same ? data : next;
}

/** The place of the first row of this kind among all, -1 where there is none. */
export function placeOf(data: unknown, isRow: IsRow, wanted: (row: Row) => boolean): number {
  let place = -1;
  let n = 0;
  mapRows(data, isRow, (row) => {
    if (place < 0 && wanted(row)) place = n;
    n++;
    return row;
  });
  return place;
}
