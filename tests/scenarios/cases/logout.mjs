// logout.mjs: scenario 4. One tab signs out, and all stop.
import { sleep } from '../../lib/wait.mjs';
import { max, spread } from '../lib/figures.mjs';
import { Person } from '../lib/person.mjs';
import { Numbers } from '../lib/rig.mjs';

// Sign in again in both tabs at once, until a poll is in flight.
async function back(person) {
  await Promise.all(person.tabs.map((tab) => tab.ready()));
  await person.settled();
}

// TIMES log-outs in A. `leads`: whether B is the tab that polls. `busy`: while so many
// numbers a second come that B is between two polls much of the time.
export async function logouts(t, { abortKey, serverKey, quietKey, times, leads = true, busy = 0 }) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(2);
  const { gate } = t.rig;
  const took = [];
  const left = [];
  const held = [];
  const parked = [];
  const stale = [];
  for (let i = 0; i < times; i++) {
    if (i > 0) await back(person);
    const leader = await person.leader();
    const b = leads ? leader : person.tabs.find((tab) => tab !== leader);
    const a = person.tabs.find((tab) => tab !== b);
    const numbers = busy ? new Numbers(t.rig, person.org, { perSecond: busy }) : null;
    if (busy) await sleep(200 + Math.random() * 200);
    const polls = [...(gate.inFlight.get(person.user) ?? [])];
    const old = new Set(gate.select({ user: person.user }).map(({ jti }) => jti));
    const aborts = (await b.probe('aborts')).length;
    await a.click('logout');
    const clicked = (await a.probe('clicks')).at(-1).at;
    await b.until('that it has stopped', () => document.querySelector('#list') === null || document.querySelector('[role=alert]') !== null, null, { ms: 10_000 }).catch(() => {});
    await sleep(250);
    const aborted = (await b.probe('aborts')).slice(aborts).find((at) => at >= clicked - 5);
    if (leads && !busy) took.push((aborted ?? Infinity) - clicked);
    for (const poll of polls) if (!busy) left.push((poll.end ?? Infinity) - clicked);
    held.push(gate.gauge(person.user));
    parked.push(await stillParked(t.rig));
    stale.push({ old, clicked });
    if (numbers) await numbers.stop();
  }
  const cleared = await emptied(person);
  if (abortKey) t.cell(abortKey, spread(took), took.every(Number.isFinite), took.length === times && max(took) < 200);
  if (serverKey) t.cell(serverKey, `${spread(left)}; then in flight ${max(held)}${t.rig.stack ? `, in the broker ${max(parked)}` : ''}`, true, left.length > 0 && max(left) <= 400 && max(held) + max(parked) === 0);
  if (quietKey) t.later(quiet(t, { person, stale, cleared, quietKey, held }));
  else await person.close();
}

// What the broker holds: nobody else is on this rig now. It looks for a hang-up when a poll
// is a quarter of a second old, and has a second for all of it.
async function stillParked({ stack }) {
  const end = Date.now() + 750;
  while (stack && stack.parked() > 0 && Date.now() < end) await sleep(25);
  return stack?.parked() ?? 0;
}

// Nothing of the last session is shown after the log-out.
const emptied = (person) => Promise.all(person.tabs.map((tab) => tab.page.evaluate(() => document.querySelectorAll('#list [data-row], #ticker [data-n]').length === 0)));

// Half a minute later: has anything with an old token been sent since?
async function quiet(t, { person, stale, cleared, quietKey, held }) {
  await sleep(30_000);
  const { gate } = t.rig;
  const after = (ms) => stale.flatMap(({ old, clicked }) => gate.select({ user: person.user, from: clicked + ms }).filter(({ jti, path }) => old.has(jti) && path !== '/api/logout'));
  const late = after(200);
  const malformed = gate.log.filter(({ auth, path }) => auth === 'malformed' && /realtime|api/.test(path)).length;
  const errors = (await Promise.all(person.tabs.map((tab) => tab.probe('errors')))).flat().filter((text) => /jwt|malformed/i.test(text)).length;
  await person.close();
  t.cell(quietKey, `${late.length} requests with an old token, ${malformed} malformed, ${errors} errors of a token; polls after a log-out at most ${max(held)}; ${cleared.every(Boolean) ? 'nothing' : 'something'} of the session still shown`, after(2000).length + malformed + errors === 0 && cleared.every(Boolean), late.length + max(held) === 0);
}
