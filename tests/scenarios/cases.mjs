// cases.mjs: which rows are measured by what, how often and where. Lanes: what is
// `measured` runs one after the other, then so does `tabs`; then what is the baseline's,
// with `firefox` and what is not timed `beside` it. `waiting` runs beside all of it, at once: it waits for real time to pass.
import { burst, sums } from './cases/burst.mjs';
import { creations, latency } from './cases/delivery.mjs';
import { failures, refreshes } from './cases/expiry.mjs';
import { fastEmpty, idle } from './cases/idle.mjs';
import { endings, hidden, steady, stops } from './cases/leader.mjs';
import { logouts } from './cases/logout.mjs';
import { liefi, longOutages, offline } from './cases/outage.mjs';
import { closing, cursorInQuery, cursorless, heap, preflights, strict } from './cases/targets.mjs';

const ours = ['ours'];
// The baseline is measured less often: it is to be shown, not to be relied on.
const times = (t, many, few) => (t.column === 'ours' ? many : few);

export const cases = [
  // ---- real time, side by side ----
  { lane: 'waiting', rows: ['leader.five'], run: (t) => steady(t, 'leader.five', 5) },
  { lane: 'waiting', rows: ['leader.ten'], run: (t) => steady(t, 'leader.ten', 10) },
  { lane: 'waiting', rows: ['idle.length', 'idle.gap'], run: (t) => idle(t, { lengthKey: 'idle.length', gapKey: 'idle.gap', count: 3, pause: [0, 250] }) },
  { lane: 'waiting', rows: ['idle.playbook'], on: ours, run: (t) => idle(t, { gapKey: 'idle.playbook', count: 3, pause: [1950, 5250], settings: { idle: '2000-5000' } }) },
  { lane: 'waiting', rows: ['idle.fast'], run: (t) => fastEmpty(t, 'idle.fast') },
  { lane: 'waiting', rows: ['expiry.banner', 'expiry.backoff'], limit: 600_000, run: (t) => failures(t, { bannerKey: 'expiry.banner', gapsKey: 'expiry.backoff', gaps: [2, 4, 8, 16, 32, 60, 60] }) },
  { lane: 'waiting', rows: ['targets.preflight', 'targets.same'], limit: 1400_000, run: (t) => preflights(t, { key: 'targets.preflight', sameKey: 'targets.same', forMs: t.long ? 600_000 : 240_000 }) },
  { lane: 'waiting', rows: ['outage.liefi'], run: (t) => liefi(t, 'outage.liefi') },
  { lane: 'waiting', rows: ['outage.evicted', 'outage.expired'], run: (t) => longOutages(t, { evictedKey: 'outage.evicted', expiredKey: 'outage.expired' }) },

  // ---- one after the other ----
  { lane: 'measured', rows: ['delivery.leader', 'delivery.follower'], run: (t) => latency(t, { leaderKey: 'delivery.leader', followerKey: 'delivery.follower', times: times(t, 200, 20) }) },
  { lane: 'measured', rows: ['delivery.stream'], on: ours, run: (t) => latency(t, { leaderKey: 'delivery.stream', times: 100, settings: { transport: 'stream' } }) },
  { lane: 'measured', rows: ['delivery.create'], run: (t) => creations(t, 'delivery.create', times(t, 20, 5)) },
  { lane: 'measured', rows: ['burst.rows', 'burst.same', 'burst.lag', 'burst.metrics'], alone: true, run: (t) => burst(t, { rowsKey: 'burst.rows', sameKey: 'burst.same', lagKey: 'burst.lag', metricsKey: 'burst.metrics', count: 50, bound: 1000 }) },
  { lane: 'measured', rows: ['burst.500'], run: (t) => burst(t, { rowsKey: 'burst.500', count: 500, bound: 2000 }) },
  { lane: 'measured', rows: ['burst.sums'], run: (t) => sums(t, 'burst.sums') },
  { lane: 'measured', rows: ['logout.abort', 'logout.server', 'logout.quiet'], run: (t) => logouts(t, { abortKey: 'logout.abort', serverKey: 'logout.server', quietKey: 'logout.quiet', times: times(t, 50, 10) }) },
  { lane: 'measured', rows: ['logout.follower'], run: (t) => logouts(t, { quietKey: 'logout.follower', times: times(t, 10, 3), leads: false }) },
  { lane: 'measured', rows: ['logout.busy'], run: (t) => logouts(t, { quietKey: 'logout.busy', times: times(t, 20, 5), busy: 40 }) },
  { lane: 'measured', rows: ['expiry.refresh'], run: (t) => refreshes(t, 'expiry.refresh', times(t, 30, 2)) },
  { lane: 'measured', rows: ['expiry.lockless'], run: (t) => refreshes(t, 'expiry.lockless', times(t, 10, 1), { locks: 'none' }) },
  { lane: 'measured', rows: ['leader.close', 'leader.account'], run: (t) => endings(t, { key: 'leader.close', accountKey: 'leader.account', how: 'close', times: times(t, 30, 5), bound95: 500, bound: 1000 }) },
  { lane: 'measured', rows: ['leader.crash'], run: (t) => endings(t, { key: 'leader.crash', how: 'crash', times: 5, tabs: 3, bound: 2000 }) },
  { lane: 'measured', rows: ['leader.stream'], on: ours, run: (t) => endings(t, { key: 'leader.stream', how: 'close', times: 10, tabs: 3, bound95: 500, bound: 1000, settings: { transport: 'stream' } }) },
  { lane: 'measured', rows: ['outage.banner', 'outage.quiet', 'outage.back', 'outage.events'], run: (t) => offline(t, { bannerKey: 'outage.banner', quietKey: 'outage.quiet', backKey: 'outage.back', eventsKey: 'outage.events' }) },

  // ---- Chromium, where a tab is behind another ----
  { lane: 'tabs', rows: ['leader.freeze', 'leader.thaw'], run: (t) => stops(t, { key: 'leader.freeze', accountKey: 'leader.thaw', how: 'freeze', people: 5, rounds: times(t, 2, 1), bound: 12_000 }) },
  { lane: 'tabs', rows: ['leader.hang', 'leader.go'], run: (t) => stops(t, { key: 'leader.hang', accountKey: 'leader.go', how: 'hang', people: times(t, 10, 5), rounds: 1, bound: 12_000 }) },
  { lane: 'tabs', rows: ['leader.hidden'], run: (t) => hidden(t, 'leader.hidden') },

  // ---- nothing that is timed ----
  { lane: 'beside', rows: ['targets.query'], on: ours, run: (t) => cursorInQuery(t, 'targets.query') },
  { lane: 'beside', rows: ['targets.cursorless'], rig: (column) => (column === 'ours' ? 'mixed' : 'baseline'), run: (t) => cursorless(t, 'targets.cursorless') },
  { lane: 'beside', rows: ['targets.strict'], on: ours, rig: 'strict', run: (t) => strict(t, 'targets.strict') },
  { lane: 'beside', rows: ['targets.close'], on: ours, run: (t) => closing(t, 'targets.close') },
  { lane: 'beside', rows: ['targets.heap'], on: ours, run: (t) => heap(t, 'targets.heap') },

  // ---- Firefox ----
  { lane: 'firefox', rows: ['firefox.close', 'firefox.account'], on: ours, run: (t) => endings(t, { key: 'firefox.close', accountKey: 'firefox.account', how: 'close', times: 10, tabs: 3, bound: 1000 }) },
  { lane: 'firefox', rows: ['firefox.leader', 'firefox.follower'], on: ours, run: (t) => latency(t, { leaderKey: 'firefox.leader', followerKey: 'firefox.follower', times: 50 }) },
  { lane: 'firefox', rows: ['firefox.create'], on: ours, run: (t) => creations(t, 'firefox.create', 5) },
  { lane: 'firefox', rows: ['firefox.abort', 'firefox.server'], on: ours, run: (t) => logouts(t, { abortKey: 'firefox.abort', serverKey: 'firefox.server', times: 10 }) },
];
