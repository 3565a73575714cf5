// expiry.mjs: scenario 3. The session's token ends; one tab renews it for all.
import { sleep, waitFor } from '../../lib/wait.mjs';
import { ms, p50, max } from '../lib/figures.mjs';
import { Person } from '../lib/person.mjs';

const ask = (person) => Promise.all(person.tabs.map((tab) => tab.click('ask')));

// TIMES expiries; in three tabs somebody asks for something at the same moment. Every
// other time the page believes that the token has expired, as the playbook's test does it;
// in between the token is refused by the backend, which the page can't foresee.
export async function refreshes(t, key, times, settings) {
  const person = await Person.of(t.rig, t.browser, { settings });
  await person.open(3);
  const { backend, gate } = t.rig;
  const wrong = [];
  let renewed = 0;
  for (let i = 0; i < times; i++) {
    const begun = Date.now();
    const old = jtis(gate, person.user);
    if (i % 2 === 0) await person.tabs[i % 3].page.evaluate(() => localStorage.setItem('auth-expiry', String(Date.now() - 10_000)));
    else old.forEach((jti) => backend.revoked.add(jti));
    await ask(person);
    await waitFor('a new token in every tab', () => answered(gate, person, begun, old) >= 3, { ms: t.patience }).catch(() => {});
    const count = backend.refreshes.filter(({ at, user }) => user === person.user && at >= begun).length;
    if (count !== 1) wrong.push(count);
    await t.rig.publish([t.rig.tick(person.org, i)]); // the poll comes back, and goes out again
    await waitFor('a poll with the new token', () => gate.polls({ user: person.user, from: begun }).some(({ jti }) => !old.has(jti)), { ms: t.patience }).then(() => renewed++, () => {});
  }
  await person.close();
  t.cell(key, `1 refresh in ${times - wrong.length} of ${times}${wrong.length ? `, else ${[...new Set(wrong)].join(', ')}` : ''}; the poll had the new token in ${renewed}`, !wrong.some((each) => each > 1), wrong.length === 0 && renewed === times);
}

const jtis = (gate, user) => new Set(gate.select({ user }).map(({ jti }) => jti));
const answered = (gate, person, from, old) => gate.select({ user: person.user, from, path: '/api/summary', status: 200 }).filter(({ jti }) => !old.has(jti)).length;

// The refresh fails again and again, in real time.
export async function failures(t, { gapsKey, bannerKey, gaps }) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(3);
  const { backend, gate } = t.rig;
  backend.failing.set(person.user, 503);
  jtis(gate, person.user).forEach((jti) => backend.revoked.add(jti));
  const begun = Date.now();
  await person.tabs[0].click('ask');
  const tries = () => backend.refreshes.filter(({ at, user }) => user === person.user && at >= begun);
  await waitFor('a second refresh', () => tries().length > 1, { ms: 8000 }).catch(() => {});
  await sleep(1500);
  const second = tries()[1]?.at;
  const after = await Promise.all(person.tabs.map(async (tab) => (await tab.probe('banners')).find(({ on }) => on)?.at - second));
  const shown = after.filter((each) => Number.isFinite(each));
  t.cell(bannerKey, shown.length > 0 ? `${shown.length} of 3 tabs, ${ms(max(shown))} after the second failure` : 'no banner', true, shown.length === 3 && max(shown) <= 500);
  const patience = gaps.reduce((a, b) => a + b, 0) * 1200 + 2000;
  await waitFor('all the tries', () => tries().length > gaps.length, { ms: second ? patience : 1, every: 100 }).catch(() => {});
  const times = tries().map(({ at }) => at);
  const took = times.slice(1).map((at, i) => (at - times[i]) / 1000);
  await person.close();
  const fit = took.length >= gaps.length && gaps.every((gap, i) => Math.abs(took[i] - gap) <= 0.2 * gap + 0.25);
  t.cell(gapsKey, took.length > 0 ? `${took.slice(0, gaps.length).map((each) => each.toFixed(1)).join(', ')} s` : `${times.length} refreshes`, true, fit);
}
