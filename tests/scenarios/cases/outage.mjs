// outage.mjs: scenario 7. The network goes, and comes back.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { sleep, waitFor } from '../../lib/wait.mjs';
import { build } from '../../lib/stack.mjs';
import { account, max, ms, s } from '../lib/figures.mjs';
import { Person } from '../lib/person.mjs';
import { Wire } from '../lib/wire.mjs';

const publish = async (t, person, from, to) => {
  for (let n = from; n <= to; n++) await t.rig.publish([t.rig.tick(person.org, n)]);
};
const shown = async (tab, last, options) => {
  await tab.shows(last, options).catch(() => {});
  return account(await tab.numbers(), 1, last);
};
const told = ({ lost, twice, misplaced }) => `${lost} lost, ${twice} twice, ${misplaced} out of order`;
const exact = ({ lost, twice, misplaced }) => lost + twice + misplaced === 0;

// The browser is told that it is offline, as its DevTools do it.
export async function offline(t, { bannerKey, quietKey, backKey, eventsKey, forMs = 9000 }) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(1);
  const [tab] = person.tabs;
  const { gate, backend } = t.rig;
  await publish(t, person, 1, 3);
  await tab.shows(3);
  const cut = Date.now();
  await person.context.setOffline(true);
  await sleep(1000);
  const ended = gate.gauge(person.user) === 0;
  await publish(t, person, 4, 23);
  await sleep(cut + forMs - Date.now());
  const banner = (await tab.probe('banners')).find(({ on, at }) => on && at >= cut)?.at - cut;
  const tries = (await tab.probe('attempts')).filter(({ at }) => at > cut + 100).length;
  const mended = Date.now();
  await person.context.setOffline(false);
  const poll = await waitFor('a poll', () => gate.polls({ user: person.user, from: mended })[0], { ms: t.patience }).catch(() => null);
  const result = await shown(tab, 23, { ms: t.patience });
  const at = (await tab.probe('shown')).filter(({ n }) => n > 3).map((each) => each.at - mended);
  await sleep(1000);
  const gone = (await tab.probe('banners')).find(({ on, at: when }) => !on && when >= mended)?.at - mended;
  const lists = backend.lists.filter((each) => each.user === person.user && each.at >= mended).length;
  await person.close();
  t.cell(bannerKey, Number.isFinite(banner) ? s(banner) : 'no banner', true, banner >= 4500 && banner <= 5500);
  t.cell(quietKey, `${tries} attempts in ${s(forMs)}; the poll in flight ${ended ? 'ended' : 'went on'}`, true, tries === 0 && ended);
  t.cell(backKey, `banner gone after ${Number.isFinite(gone) ? ms(gone) : '–'}, poll after ${poll ? ms(poll.at - mended) : '–'}, list fetched ${lists} times`, lists >= 1, gone <= 500 && poll?.at - mended <= 1000);
  t.cell(eventsKey, `${told(result)}, the last ${at.length ? ms(max(at)) : '–'} after the network`, exact(result), max(at) <= 2000);
}

// So many events meanwhile that the server's memory does not reach back; then so long
// that its log doesn't, or as good as: what is missed is deleted there.
export async function longOutages(t, { evictedKey, expiredKey }) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(1);
  const [tab] = person.tabs;
  const away = async (work) => {
    await person.context.setOffline(true);
    await waitFor('the poll to end', () => t.rig.gate.gauge(person.user) === 0, { ms: 2000 }).catch(() => {}); // the baseline's goes on
    await work();
    const mended = Date.now();
    await person.context.setOffline(false);
    return mended;
  };
  await publish(t, person, 1, 1);
  await tab.shows(1);
  await away(() => publish(t, person, 2, 301));
  const result = await shown(tab, 301, { ms: t.patience });
  t.cell(evictedKey, `${told(result)}, of 300 missed`, exact(result));

  const mended = await away(async () => {
    for (let n = 302; n <= 306; n++) await t.rig.backend.create(person.org, { n });
    if (t.rig.stack) await prune(t.rig.stack, person.org);
  });
  await waitFor('the list to be fetched', () => t.rig.backend.lists.some(({ at, user }) => user === person.user && at >= mended), { ms: t.patience }).catch(() => {});
  await waitFor('all rows', async () => (await tab.rows()).length === 5, { ms: t.patience, every: 50 }).catch(() => {});
  await sleep(1000);
  const rows = (await tab.rows()).length;
  const lists = t.rig.backend.lists.filter(({ at, user }) => user === person.user && at >= mended).length;
  await person.close();
  t.cell(expiredKey, `list fetched ${lists} times; ${rows} of 5 rows`, lists >= 1 && rows === 5);
}

// The newest seconds are never pruned, and events go on in other orgs meanwhile.
async function prune(stack, org) {
  const rows = () => stack.query(`SELECT count(*) AS n FROM events WHERE org_id = '${org}'`)[0].n;
  await waitFor(() => `the log to be pruned; ${rows()} rows are left`, async () => {
    await promisify(execFile)(path.join(build, 'bellhopctl'), ['-c', stack.lanes[0].conf, 'prune', '--org', org, '--older-than', '1s', '--quiet']);
    return rows() === 0;
  }, { ms: 60_000, every: 1000 });
}

// The connections go dead, and nobody is told: the browser believes that it is online.
export async function liefi(t, key) {
  const wire = await Wire.to(t.rig.port);
  const origin = `http://localhost:${wire.port}`;
  const person = await Person.of(t.rig, t.browser, { origin });
  await person.open(1);
  const [tab] = person.tabs;
  await publish(t, person, 1, 3);
  await tab.shows(3);
  const cut = Date.now();
  wire.cut();
  await sleep(500);
  await publish(t, person, 4, 23);
  const banner = await tab.until('a banner', (from) => window.probe.banners.find(({ on, at }) => on && at >= from)?.at, cut, { ms: 60_000, every: 200 }).catch(() => null);
  if (!banner) await sleep(2000);
  const mended = Date.now();
  wire.mend();
  const result = await shown(tab, 23, { ms: 45_000, every: 100 });
  const back = (await tab.probe('shown')).find(({ n }) => n === 23)?.at - mended;
  await person.close();
  wire.close();
  t.cell(key, `banner ${banner ? `after ${s(banner - cut)}` : 'never within 60 s'}; ${told(result)}; all there ${Number.isFinite(back) ? `${s(back)} after the network` : 'never'}`, exact(result), Boolean(banner));
}
