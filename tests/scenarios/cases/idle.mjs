// idle.mjs: scenario 5. Nothing happens, for as long as it takes.
import { sleep } from '../../lib/wait.mjs';
import { max, min, mostWithin, s, ms } from '../lib/figures.mjs';
import { Person } from '../lib/person.mjs';

const gaps = (polls) => polls.slice(1).map((poll, i) => poll.at - polls[i].end);

// COUNT full polls of one idle tab, and the pauses between them.
export async function idle(t, { lengthKey, gapKey, count, pause, settings }) {
  const person = await Person.of(t.rig, t.browser, { settings });
  await person.open(1);
  const { gate } = t.rig;
  const begun = Date.now();
  while (gate.polls({ user: person.user }).filter(({ end }) => end).length <= count && Date.now() < begun + (count + 1) * 32_000) await sleep(100);
  await sleep(pause[1] + 500);
  const polls = gate.polls({ user: person.user }).slice(-count - 2); // the first may have had the list's events
  await person.close();
  const full = polls.filter(({ end, left }) => end && !left);
  const took = full.map(({ at, end }) => end - at).filter((each) => each > 5000);
  const pauses = gaps(polls.filter(({ end, at }) => !end || end - at > 5000));
  if (lengthKey) t.cell(lengthKey, `${took.map(s).join(', ')}`, true, took.length >= count && min(took) >= 24_950 && max(took) <= 26_250);
  if (gapKey) t.cell(gapKey, `${pauses.map(ms).join(', ')}; so every ${took.length ? s(took[0] + (pauses[0] ?? 0)) : '–'}`, true, pauses.length >= count - 1 && min(pauses) >= pause[0] && max(pauses) <= pause[1]);
}

// The gate answers each poll at once, with nothing.
export async function fastEmpty(t, key, forMs = 61_000) {
  const person = await Person.of(t.rig, t.browser);
  await person.open(1);
  const { gate } = t.rig;
  gate.fastEmpty.add(person.user);
  await t.rig.publish([t.rig.tick(person.org, 1)]); // ends the poll that waits
  await sleep(500);
  const begun = Date.now();
  await sleep(forMs);
  gate.fastEmpty.delete(person.user);
  const polls = gate.polls({ user: person.user, from: begun, to: begun + forMs });
  await person.close();
  const pauses = gaps(polls);
  const most = mostWithin(polls.map(({ at }) => at), 60_000);
  t.cell(key, `pauses ${s(min(pauses))} to ${s(max(pauses))} (N=${pauses.length}), ${most} polls in a minute`, true, pauses.length > 5 && min(pauses) >= 1950 && max(pauses) <= 5250 && most <= 30);
}
