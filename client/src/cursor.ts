// The one place that looks into a cursor: `<log id>-<seq>` (PROTOCOL.md, 1.2).
import type { Cursor } from './types.js';

const form = /^([\x21-\x7e]{1,64})-(\d{1,16})$/;

export function isCursor(value: unknown): value is Cursor {
  return typeof value === 'string' && form.test(value);
}

/** The number of the last event that it stands for. */
export function seqOf(cursor: Cursor): number {
  return Number(form.exec(cursor)?.[2]);
}

/** Negative: `a` is behind `b`; 0: the same place; positive: ahead. NaN: of two logs, not to be compared. */
export function compare(a: Cursor, b: Cursor): number {
  const [, logA, seqA] = form.exec(a) ?? [];
  const [, logB, seqB] = form.exec(b) ?? [];
  return logA === logB ? Number(seqA) - Number(seqB) : NaN;
}
