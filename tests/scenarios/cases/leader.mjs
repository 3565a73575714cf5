// leader.mjs: scenario 1. One tab of a person polls, and another takes over.
import { sleep } from '../../lib/wait.mjs';
import { account, max, ms, p95, spread } from '../lib/figures.mjs';
import { Person } from '../lib/person.mjs';
import { Numbers } from '../lib/rig.mjs';

// N idle tabs for a minute. The gate keeps the most that were ever in flight at once, so
// that nothing hides between two samples; the samples are taken as well.
export async function steady(t, key, tabs, forMs = 60_000) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(tabs);
  await sleep(1000); // those that lost the election have said so
  const { gate } = t.rig;
  const begun = Date.now();
  const before = await attempts(person);
  gate.resetMost(person.user);
  const samples = [];
  while (Date.now() < begun + forMs) {
    samples.push(gate.gauge(person.user));
    await sleep(100);
  }
  const most = gate.most.get(person.user);
  const polling = (await attempts(person)).filter((count, i) => count > before[i]).length;
  const gap = longestGap(gate.polls({ user: person.user }), begun, begun + forMs);
  const ones = samples.filter((each) => each === 1).length;
  await person.close();
  t.cell(key, `at most ${most} in flight, ${ones} of ${samples.length} samples 1; ${polling} of ${tabs} tabs polled; longest time without a poll ${ms(gap)}`, most === 1 && polling <= 1, gap <= 250);
}

const attempts = (person) => Promise.all(person.tabs.map(async (tab) => (await tab.probe('attempts')).length));

// The longest time between FROM and TO in which no poll was in flight.
function longestGap(polls, from, to) {
  let covered = from;
  let gap = 0;
  for (const { at, end = Infinity } of polls) {
    if (end < from || at > to) continue;
    gap = Math.max(gap, at - covered);
    covered = Math.max(covered, end);
  }
  return Math.max(gap, to - covered);
}

// A tab that is opened while numbers come, and what it must have shown in the end.
async function join(person, numbers, settings) {
  const tab = await person.tab(settings);
  tab.since = numbers.last;
  return tab;
}

async function accounts(person, last, { patience }) {
  const total = { lost: 0, twice: 0, misplaced: 0, got: 0 };
  for (const tab of person.tabs) {
    await tab.shows(last, { ms: patience }).catch(() => {});
    const shown = await tab.numbers();
    const mine = account(shown, Math.min(tab.since + 1, shown[0] ?? Infinity), last);
    for (const key of Object.keys(total)) total[key] += mine[key];
  }
  return total;
}

const clean = ({ lost, twice, misplaced, got }) => got > 0 && lost + twice + misplaced === 0;
const said = ({ lost, twice, misplaced, got }, tabs) => `${lost} lost, ${twice} twice, ${misplaced} out of order, of ${got} shown in ${tabs} tabs`;

// How long until another tab's poll is at the server, once END has ended the leader.
// Where polls have no name, the first that comes after those of the leader's. BEFORE is
// done to it first, and takes no part in the time.
async function takeover(person, end, before = async () => {}) {
  const leader = await person.leader();
  await before(leader);
  const { gate } = person.rig;
  const old = await leader.probe('clientId');
  const begun = Date.now();
  const next = gate.nextPoll(person.user, ({ clientId }) => clientId === null || clientId !== old, { ms: 15_000 });
  next.catch(() => {}); // it is awaited below, if `end` does not fail first
  await end(leader);
  return { took: (await next).at - begun, leader };
}

// The leader is closed, or its renderer crashes, again and again, while numbers come.
export async function endings(t, { key, accountKey, how, times, tabs = 5, bound, bound95 = Infinity, settings }) {
  const person = await Person.of(t.rig, t.browser, { settings });
  const numbers = new Numbers(t.rig, person.org);
  for (let i = 0; i < tabs; i++) await join(person, numbers);
  await person.settled();
  const took = [];
  let most = 0;
  for (let i = 0; i < times; i++) {
    t.rig.gate.resetMost(person.user);
    took.push((await takeover(person, (leader) => leader[how]())).took);
    most = Math.max(most, t.rig.gate.most.get(person.user));
    await join(person, numbers);
  }
  const last = await numbers.stop();
  const all = await accounts(person, last, t);
  const open = person.tabs.length;
  await person.close();
  const fit = max(took) <= bound && p95(took) <= bound95;
  t.cell(key, `${spread(took)}; at most ${most} in flight${accountKey ? '' : `; ${said(all, open)}`}`, accountKey || clean(all), fit);
  if (accountKey) t.cell(accountKey, said(all, open), clean(all));
}

// The leader stops, is taken over from, and goes on; several people at once, since it is
// mostly waiting. `how`: `freeze`, of which a page is told before, or `hang`, of which it
// isn't: its scripts stand still, as under a machine that has no time for them.
export async function stops(t, { key, accountKey, how, people, rounds, bound }) {
  const results = await Promise.all(Array.from({ length: people }, () => stopPerson(t, how, rounds)));
  const took = results.flatMap((each) => each.took);
  const all = results.map((each) => each.all).reduce(add);
  const stood = Math.min(...results.map((each) => each.stood));
  t.cell(key, `${spread(took)}; its timers stood still for ${ms(stood)} and more`, true, stood >= 2000 && took.length === people * rounds && max(took) <= bound);
  t.cell(accountKey, said(all, people * rounds * 3), clean(all));
}

const add = (a, b) => Object.fromEntries(Object.keys(a).map((name) => [name, a[name] + b[name]]));
const again = { freeze: 'thaw', hang: 'go' };

async function stopPerson(t, how, rounds) {
  const took = [];
  const accounted = [];
  let stood = Infinity;
  for (let round = 0; round < rounds; round++) {
    const person = await Person.of(t.rig, t.browser);
    const numbers = new Numbers(t.rig, person.org, { perSecond: how === 'hang' ? 2 : 5 }); // of many people
    for (let i = 0; i < 3; i++) await join(person, numbers);
    await inFront(person);
    let stopped;
    const before = async (leader) => {
      stopped = leader;
      await behind(person, leader);
      await leader.prepare();
    };
    const begun = Date.now();
    await takeover(person, (leader) => leader[how](), before).then((each) => took.push(each.took), async (error) => {
      console.error(`nobody took over: ${error.message}\n${await notes(person, begun)}`);
    });
    await sleep(2500); // longer than a hidden tab's timers wait
    await stopped[again[how]]();
    await stopped.until('that it stood still', () => window.longestPause > 2000).catch(() => {});
    await sleep(1000); // numbers come on while the two of them sort it out
    stood = Math.min(stood, await stopped.page.evaluate(() => window.longestPause));
    accounted.push(await accounts(person, await numbers.stop(), t));
    await person.close();
  }
  return { took, all: accounted.reduce(add), stood };
}

// What the tabs that still run have said of themselves, around BEGUN.
async function notes(person, begun) {
  const lines = [];
  for (const [i, tab] of person.tabs.entries()) {
    if (tab.frozen) lines.push(`tab ${i} stands still`);
    else lines.push(`tab ${i}: ${(await tab.page.evaluate(() => [document.visibilityState, ...window.probe.notes])).join('; ')}`);
  }
  return `${lines.join('\n')}\nsince ${begun}`;
}

// The tab that leads is the one in front, and has been for so long that nobody is about
// to take over.
async function inFront(person) {
  await (await person.leader()).page.bringToFront();
  await sleep(2500);
  await (await person.leader()).page.bringToFront();
}

// As when somebody goes on in another tab: LEADER is hidden from then on.
async function behind(person, leader) {
  await leader.page.evaluate(() => {
    let last = Date.now();
    window.longestPause = 0;
    setInterval(() => {
      window.longestPause = Math.max(window.longestPause, Date.now() - last);
      last = Date.now();
    }, 20);
  });
  await person.tabs.find((tab) => tab !== leader).page.bringToFront();
}

// Somebody goes on in another tab of the window.
export async function hidden(t, key) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(3);
  await inFront(person);
  const { took, leader } = await takeover(person, (tab) => behind(person, tab));
  const visible = await leader.page.evaluate(() => document.visibilityState);
  await person.close();
  t.cell(key, `${ms(took)}; the old leader's tab is ${visible}`, visible === 'hidden', took <= 5000);
}
