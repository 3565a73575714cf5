// targets.mjs: what the playbook's table of targets has beyond the scenarios, and what
// it does not ask for.
import { sleep } from '../../lib/wait.mjs';
import { account, ms } from '../lib/figures.mjs';
import { Person } from '../lib/person.mjs';
import { Numbers } from '../lib/rig.mjs';

const share = (options, all) => `${options} of ${all}, ${((100 * options) / all).toFixed(1)} %`;

// The page is at one origin and the service at another; an event a second. Only the
// service's requests are counted, so the share is the worst that can be said.
export async function preflights(t, { key, sameKey, forMs }) {
  const port = Number(new URL(t.rig.elsewhere).port);
  const person = await Person.of(t.rig, t.browser, { settings: { realtime: t.rig.elsewhere } });
  await person.open(2);
  const numbers = new Numbers(t.rig, person.org, { perSecond: 1 });
  await sleep(forMs);
  const last = await numbers.stop();
  await sleep(500);
  const seen = t.rig.gate.select({ port });
  const options = seen.filter(({ method }) => method === 'OPTIONS').length;
  const { lost } = account(await person.tabs[0].numbers(), 1, last);
  await person.close();
  t.cell(key, `${share(options, seen.length)}, in ${ms(forMs)}${lost ? `; ${lost} events lost` : ''}`, seen.length > last / 2 && options / seen.length < 0.02);
  const same = t.rig.gate.select({ port: t.rig.port, method: 'OPTIONS' }).length;
  t.cell(sameKey, String(same), same === 0);
}

// What it would cost to send the position in the address: a preflight for each poll.
export async function cursorInQuery(t, key, polls = 30) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(1);
  const port = Number(new URL(t.rig.elsewhere).port);
  const token = t.rig.stack.token({ sub: 'query-cursor', org: `${person.org}-q` });
  const from = Date.now();
  await person.tabs[0].page.evaluate(async ({ base, bearer, times }) => {
    for (let i = 0; i < times; i++) await fetch(`${base}/tasks/realtime/subscribe?wait=0&cursor=0000000000000000-${i}`, { headers: { Authorization: `Bearer ${bearer}` } });
  }, { base: t.rig.elsewhere, bearer: token, times: polls });
  const seen = t.rig.gate.select({ port, from }).filter(({ query }) => query.includes('cursor='));
  const options = seen.filter(({ method }) => method === 'OPTIONS').length;
  await person.close();
  t.cell(key, share(options, seen.length), seen.length >= polls && options > 0);
}

// The memory of the tab that polls, before and after many polls that each brought
// something; what the test itself has noted is thrown away before it is looked at.
export async function heap(t, key, polls = 2000) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(1);
  const [tab] = person.tabs;
  const session = await tab.devtools();
  const used = async () => {
    await tab.page.evaluate(() => (window.probe.attempts.length = 0));
    await session.send('HeapProfiler.collectGarbage');
    return (await session.send('Runtime.getHeapUsage')).usedSize;
  };
  const { gate } = t.rig;
  const run = async (count) => {
    const from = gate.log.length;
    const polled = () => gate.log.slice(from).filter(({ poll, user }) => poll && user === person.user).length;
    while (polled() < count) {
      const next = gate.nextPoll(person.user, () => true, { ms: t.patience });
      await t.rig.publish([noise(t, person)]);
      await next;
    }
  };
  // What the page remembers of events has its bounds, and what the browser compiles of its
  // code too: fill both up to them.
  for (let i = 0; i < 10; i++) await t.rig.publish(Array.from({ length: 150 }, () => noise(t, person)));
  await run(1000);
  const before = await used();
  await run(polls);
  const after = await used();
  await person.close();
  const change = ((after - before) / before) * 100;
  t.cell(key, `${(before / 1e6).toFixed(2)} MB, then ${(after / 1e6).toFixed(2)} MB: ${change >= 0 ? '+' : ''}${change.toFixed(1)} %`, change <= 5);
}

const noise = (t, person) => ({ ...t.rig.tick(person.org, 0), eventType: 'Noise' });

// What close() leaves behind.
export async function closing(t, key) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(2);
  await Promise.all(person.tabs.map((tab) => tab.page.evaluate(() => window.client.close())));
  await sleep(300);
  const attempts = await Promise.all(person.tabs.map(async (tab) => (await tab.probe('attempts')).length));
  const locks = await person.tabs[0].page.evaluate(async () => {
    const { held, pending } = await navigator.locks.query();
    return held.length + pending.length;
  });
  const polls = t.rig.gate.gauge(person.user);
  await sleep(6000); // longer than a follower waits before it looks
  const more = (await Promise.all(person.tabs.map(async (tab) => (await tab.probe('attempts')).length))).map((count, i) => count - attempts[i]);
  await person.close();
  const later = more.reduce((a, b) => a + b, 0);
  t.cell(key, `${locks} locks, ${polls} polls, ${later} attempts later`, locks + polls + later === 0);
}

// React mounts everything twice in development; there is still one loop.
export async function strict(t, key) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(2);
  await sleep(1000);
  t.rig.gate.resetMost(person.user);
  const numbers = new Numbers(t.rig, person.org);
  await sleep(3000);
  const last = await numbers.stop();
  const results = [];
  for (const tab of person.tabs) {
    await tab.shows(last, { ms: t.patience }).catch(() => {});
    results.push(account(await tab.numbers(), 1, last));
  }
  const most = t.rig.gate.most.get(person.user);
  await person.close();
  const bad = results.reduce((sum, { lost, twice, misplaced }) => sum + lost + twice + misplaced, 0);
  t.cell(key, `at most ${most} in flight; ${bad} lost, double or out of order in 2 tabs`, most === 1 && bad === 0);
}

// The playbook's hook knows no cursor. On Bellhop two people of one org get every
// event, each once, bursts between two polls included.
export async function cursorless(t, key, { rounds = 20 } = {}) {
  const first = await Person.of(t.rig, t.browser);
  const second = await Person.of(t.rig, t.browser, { org: first.org });
  for (const person of [first, second]) await person.open(1);
  let n = 0;
  for (let i = 0; i < rounds; i++) {
    for (let burst = 1 + (i % 7); burst > 0; burst--) await t.rig.publish([t.rig.tick(first.org, ++n)]);
    await sleep(Math.random() * 150);
  }
  await Promise.all([first, second].map(({ tabs: [tab] }) => tab.shows(n, { ms: t.patience }).catch(() => {})));
  await sleep(500);
  const results = await Promise.all([first, second].map(async ({ tabs: [tab] }) => account(await tab.numbers(), 1, n)));
  await Promise.all([first.close(), second.close()]);
  const sum = (name) => results.map((each) => each[name]).join(' and ');
  t.cell(key, `${sum('lost')} lost, ${sum('twice')} twice, ${sum('misplaced')} out of order, of ${n}`, results.every(({ lost, twice, misplaced }) => lost + twice + misplaced === 0));
}

