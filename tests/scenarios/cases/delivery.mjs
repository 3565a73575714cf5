// delivery.mjs: scenario 2. What is published is in the other tab at once, and there once.
import { sleep, waitFor } from '../../lib/wait.mjs';
import { max, ms, p95, spread } from '../lib/figures.mjs';
import { Person } from '../lib/person.mjs';

// TIMES numbers, one after the other. The time begins before the publisher's request is
// sent, so it is more than from its acknowledgement.
export async function latency(t, { leaderKey, followerKey, times, settings }) {
  const person = await Person.of(t.rig, t.browser, { settings });
  await person.open(2);
  const leader = await person.leader();
  const follower = await person.follower();
  const sent = [];
  const acked = [];
  for (let n = 1; n <= times; n++) {
    sent[n] = Date.now();
    await t.rig.publish([t.rig.tick(person.org, n)]);
    acked[n] = Date.now();
    await Promise.all([leader, follower].map((tab) => tab.shows(n, { ms: t.patience, every: 5 }).catch(() => {})));
    await sleep(Math.random() * 20);
  }
  for (const [key, tab] of [[leaderKey, leader], [followerKey, follower]]) {
    if (!key) continue;
    const shown = await tab.probe('shown');
    const took = shown.map(({ n, at }) => at - sent[n]);
    const lost = times - new Set(shown.map(({ n }) => n)).size;
    const twice = shown.length - new Set(shown.map(({ n }) => n)).size;
    const over = shown.map(({ n, at }) => at - acked[n]);
    t.cell(key, `${spread(took)}; from the ack p95 ${ms(p95(over))}, max ${ms(max(over))}; ${lost} missing, ${twice} twice`, lost + twice === 0, max(took) < 2000);
  }
  await person.close();
}

// A creates rows that it shows before the server has them; then everybody hears of them.
export async function creations(t, key, times) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(2);
  const [a, b] = person.tabs;
  const took = [];
  const known = new Set();
  for (let i = 1; i <= times; i++) {
    await a.click('create');
    const clicked = (await a.probe('clicks')).at(-1).at;
    const [id] = await waitFor('the new row', async () => {
      const fresh = (await a.rows()).filter((row) => !known.has(row));
      return fresh.length > 0 && fresh;
    }, { ms: t.patience });
    known.add(id);
    const at = await b.until('the new row', (row) => window.probe.rows[row], id, { ms: t.patience }).catch(() => Infinity);
    took.push(at - clicked);
    await sleep(50); // a second copy would be on its way
  }
  const [mine, theirs] = await Promise.all([a.rows(), b.rows()]);
  await person.close();
  const double = (rows) => rows.length - new Set(rows).size;
  const all = new Set(mine).size === times && new Set(theirs).size === times;
  t.cell(key, `${spread(took)}; ${double(mine)} double in A, ${double(theirs)} in B${all ? '' : `; of ${times} A has ${new Set(mine).size}, B ${new Set(theirs).size}`}`, all && double(mine) + double(theirs) === 0, max(took) < 2000);
}
