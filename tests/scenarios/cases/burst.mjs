// burst.mjs: scenario 6. Many at once.
import { pool, range } from '../../lib/wait.mjs';
import { max, ms, mostWithin } from '../lib/figures.mjs';
import { Person } from '../lib/person.mjs';
import { sleep, waitFor } from '../../lib/wait.mjs';

// COUNT tasks are created as fast as they are taken, each by a request of its own, while
// two tabs look on.
export async function burst(t, { rowsKey, sameKey, lagKey, count, tabs = 2, bound, metricsKey }) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(tabs);
  const { gate, backend } = t.rig;
  await Promise.all(person.tabs.map((tab) => tab.page.evaluate(() => (window.probe.longTasks.length = 0))));
  const before = await t.rig.metrics();
  const begun = Date.now();
  await pool(range(count), 10, (i) => backend.create(person.org, { n: i + 1 }));
  const acked = Date.now();
  const complete = () => Promise.all(person.tabs.map(async (tab) => new Set(await tab.rows()).size === count)).then((all) => all.every(Boolean));
  await waitFor('all rows', complete, { ms: t.patience, every: 50 }).catch(() => {});
  const polls = gate.polls({ user: person.user, from: begun, to: Date.now() }).length;
  const seen = await Promise.all(person.tabs.map((tab) => tab.probe('rows')));
  const last = max(seen.flatMap((rows) => Object.values(rows))) - acked;
  const numbers = seen.map((rows) => Object.keys(rows).length);
  const after = await t.rig.metrics();
  await sleep(2500); // the sums come after the last row
  const shown = await Promise.all(person.tabs.map((tab) => tab.rows()));
  const truth = [...backend.tasks(person.org).values()].sort((a, b) => b.n - a.n).map(({ taskId }) => taskId);
  const same = shown.filter((rows) => rows.join() === truth.join()).length;
  const long = (await Promise.all(person.tabs.map((tab) => tab.probe('longTasks')))).flat();
  await person.close();
  if (rowsKey) t.cell(rowsKey, `${numbers.join(' and ')} of ${count}, the last ${last < 0 ? 'before the last ack' : `${ms(last)} after the last ack`}; ${polls} polls`, numbers.every((each) => each === count), last <= bound && (count > 50 || polls <= 15));
  if (sameKey) t.cell(sameKey, `in ${same} of ${tabs} tabs`, same === tabs);
  if (lagKey) t.cell(lagKey, long.length ? `${long.length} over 50 ms, the longest ${ms(max(long))}` : 'none over 50 ms', true, max([0, ...long]) <= 200);
  if (metricsKey) t.cell(metricsKey, counts(before, after), zero(before, after));
}

const delta = (before, after, name) => (after.events[name] === undefined ? null : after.events[name] - before.events[name]);
const watched = ['dropped_total', 'expired_total', 'gaps_total'];
const counts = (before, after) => watched.map((name) => `${name.split('_')[0]} ${delta(before, after, name) ?? 'not counted'}`).join(', ') + (after.buffers.max_per_org === undefined ? '' : `; fullest buffer ${after.buffers.max_per_org} of 200`);
const zero = (before, after) => watched.every((name) => delta(before, after, name) === 0);

// Fifty events in five seconds, one tab: how often it asks for sums.
export async function sums(t, key) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(1);
  await sleep(1500); // it has asked once, to begin with
  const { backend } = t.rig;
  const begun = Date.now();
  for (let i = 1; i <= 50; i++) {
    await backend.create(person.org, { n: i });
    await sleep(begun + i * 100 - Date.now());
  }
  const last = Date.now();
  await sleep(3000);
  await person.close();
  const times = (name) => backend.aggregates.filter((each) => each.user === person.user && each.name === name && each.at >= begun).map(({ at }) => at);
  const [summary, stats] = [times('summary'), times('stats')];
  const most = Math.max(mostWithin(summary, 1000), mostWithin(stats, 1000));
  const after = [summary, stats].every((list) => list.at(-1) >= last - 100);
  t.cell(key, `summary ${summary.length} times, stats ${stats.length}; at most ${most} in any second; ${after ? 'one' : 'none'} after the last event`, true, most <= 1 && after && summary.length >= 4 && summary.length <= 8);
}
