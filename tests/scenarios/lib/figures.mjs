// figures.mjs: numbers for people.
export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)];
}

export const p50 = (values) => percentile(values, 50);
export const p95 = (values) => percentile(values, 95);
export const max = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
export const min = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);

export const ms = (value) => (!Number.isFinite(value) ? '–' : value >= 9950 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`);
export const s = (value) => `${(value / 1000).toFixed(2)} s`;

export function spread(values) {
  return values.length === 0 ? 'none measured' : `p50 ${ms(p50(values))}, p95 ${ms(p95(values))}, max ${ms(max(values))} (N=${values.length})`;
}

// The most of TIMES that fall into any window of MS.
export function mostWithin(times, windowMs) {
  const sorted = [...times].sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  sorted.forEach((time, i) => {
    while (time - sorted[first] >= windowMs) first++;
    most = Math.max(most, i - first + 1);
  });
  return most;
}

// What is missing from, double in, or out of order among NUMBERS, which ought to
// rise by one from `from` to `to`.
export function account(numbers, from, to) {
  const seen = new Set(numbers);
  let lost = 0;
  for (let n = from; n <= to; n++) if (!seen.has(n)) lost++;
  const misplaced = numbers.filter((n, i) => i > 0 && n < numbers[i - 1]).length;
  return { lost, twice: numbers.length - seen.size, misplaced, got: seen.size };
}
