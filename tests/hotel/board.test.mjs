// The board, as people see it: two of them, each in a browser of their own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { Demo, add, card, enter, live, role, shows, waitFor } from './demo.mjs';

const demo = await Demo.forFile();
const slow = { timeout: 90_000 };

test('a task made in one window appears in the other, once; so does what becomes of it', slow, async () => {
  const [anna, chiara] = [await demo.person('anna'), await demo.person('chiara')];
  await add(anna, 'Fresh towels for the pool', { house: 'Canal 21' });
  await shows(chiara, 'Fresh towels for the pool');
  await shows(anna, 'Fresh towels for the pool');

  await chiara.getByRole('button', { name: 'Start: Fresh towels for the pool' }).click();
  await shows(anna, 'Fresh towels for the pool', 2);
  await anna.locator('.column.doing').filter({ has: card(anna, 'Fresh towels for the pool') }).waitFor();
  await anna.locator('.ticker li').filter({ hasText: /Chiara\s*started\s*.?Fresh towels/ }).waitFor();
  assert.equal(await anna.locator('.ticker li').filter({ hasText: 'Fresh towels' }).count(), 2, 'each happening once');

  await anna.getByRole('button', { name: 'Fresh towels for the pool', exact: true }).click();
  await anna.getByRole('button', { name: 'Delete' }).click();
  await card(chiara, 'Fresh towels for the pool').waitFor({ state: 'detached' });
  assert.deepEqual([...anna.complaints, ...chiara.complaints], []);
});

test('twenty tasks of two people, at the same time: both boards show each once', slow, async () => {
  const [anna, emeka] = [await demo.person('anna'), await demo.person('emeka')];
  const tokens = await Promise.all(['anna', 'emeka'].map((user) => demo.login(user)));
  const titles = Array.from({ length: 20 }, (_, i) => `Burst ${i}`);
  const made = await Promise.all(titles.map((title, i) => demo.api('POST', '/hotel/api/tasks', {
    token: tokens[i % 2].accessToken,
    body: { taskId: `burst-${i}`, propertyId: 'p-alpine', title },
  })));
  assert.deepEqual(made.map((res) => res.status), titles.map(() => 201));
  for (const tab of [anna, emeka]) {
    for (const title of titles) await shows(tab, title);
    assert.equal(await tab.locator('.ticker li').filter({ hasText: 'Burst' }).count(), 20);
  }
  const summary = await demo.api('GET', '/hotel/api/summary', { token: tokens[0].accessToken });
  const { open, doing } = summary.json;
  await anna.getByRole('button', { name: /^All houses/ }).filter({ hasText: `${open + doing} to do` }).waitFor();
});

test('a filter holds for what comes in live, too', slow, async () => {
  const anna = await demo.person('anna');
  const { accessToken: token } = await demo.login('emeka');
  await anna.getByRole('button', { name: /^Alpenhof/ }).click();
  await anna.getByRole('combobox', { name: 'Show' }).selectOption('lena');
  await waitFor('the filtered rows', async () => (await anna.locator('.card').count()) === 2);
  const make = (taskId, more) => demo.api('POST', '/hotel/api/tasks', { token, body: { taskId, title: taskId, propertyId: 'p-alpine', assignee: 'lena', ...more } });
  await make('elsewhere', { propertyId: 'p-canal', assignee: 'emeka' });
  await make('somebody-elses', { assignee: 'emeka' });
  await make('lenas', {});
  await shows(anna, 'lenas');
  assert.equal(await card(anna, 'elsewhere').count() + await card(anna, 'somebody-elses').count(), 0);
  await demo.api('PATCH', '/hotel/api/tasks/lenas', { token, body: { assignee: 'emeka' } });
  await card(anna, 'lenas').waitFor({ state: 'detached' });
  await anna.goBack();
  await shows(anna, 'lenas', 2);
});

test('a person sees the own houses only; another company sees nothing', slow, async () => {
  const [bruno, otso] = [await demo.person('bruno'), await demo.person('otso')];
  const { accessToken: token } = await demo.login('anna');
  for (const [taskId, propertyId] of [['not-brunos', 'p-alpine'], ['brunos', 'p-harbour']]) {
    await demo.api('POST', '/hotel/api/tasks', { token, body: { taskId, propertyId, title: taskId } });
  }
  await shows(bruno, 'brunos');
  assert.equal(await card(bruno, 'not-brunos').count(), 0);
  assert.equal(await otso.locator('.card').count(), 1);
  assert.equal(await otso.locator('.ticker li').count(), 0);
});

test('of two tabs one leads and one follows; signing out in one ends both', slow, async () => {
  const first = await demo.person('anna');
  const second = await demo.tab(first.context());
  await second.goto(`${demo.url}/tasks`);
  await live(second);
  assert.deepEqual([await role(first), await role(second)].sort(), ['follower', 'leader']);
  const { accessToken: token } = await demo.login('emeka');
  await demo.api('POST', '/hotel/api/tasks', { token, body: { taskId: 'both-tabs', propertyId: 'p-canal', title: 'For both tabs' } });
  for (const tab of [first, second]) await shows(tab, 'For both tabs');

  let late = 0;
  second.on('request', (request) => (late += request.url().includes('/realtime/') ? 1 : 0));
  await first.getByRole('button', { name: 'Sign out' }).click();
  for (const tab of [first, second]) await tab.getByRole('heading', { name: /Who’s on shift/ }).waitFor();
  assert.equal(late, 0, 'no poll after the sign-out');
  await second.reload();
  await second.getByRole('heading', { name: /Who’s on shift/ }).waitFor();
  // Nothing of the last one's is left for the next.
  await enter(second, 'otso');
  assert.equal(await second.locator('.card').count(), 1);
  assert.deepEqual([...first.complaints, ...second.complaints], []);
});

test('a reload goes on with the session, without the token ever being stored', slow, async () => {
  const anna = await demo.person('anna');
  const stored = () => anna.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.doesNotMatch(await stored(), /eyJ/);
  await anna.reload();
  await live(anna);
  assert.equal(new URL(anna.url()).pathname, '/tasks');
  assert.doesNotMatch(await stored(), /eyJ/);
});

test('a change that somebody else was faster with is told, and the row put right', slow, async () => {
  const anna = await demo.person('anna');
  const { accessToken: token } = await demo.login('emeka');
  await demo.api('POST', '/hotel/api/tasks', { token, body: { taskId: 'race', propertyId: 'p-canal', title: 'Race' } });
  await shows(anna, 'Race');
  await anna.getByRole('button', { name: 'Race', exact: true }).click(); // her sheet has version 1
  await anna.getByRole('textbox', { name: 'Room' }).fill('7');
  await demo.api('PATCH', '/hotel/api/tasks/race', { token, body: { status: 'done' } });
  await shows(anna, 'Race', 2);
  await anna.getByRole('button', { name: 'Save' }).click();
  await anna.getByText('Somebody was faster').waitFor();
  await anna.locator('.column.done').filter({ has: card(anna, 'Race') }).waitFor();
});

test('offline the board is covered by a banner, and online again it has what was missed', slow, async () => {
  const anna = await demo.person('anna');
  const { accessToken: token } = await demo.login('emeka');
  await anna.context().setOffline(true);
  const banner = anna.locator('.bellhop-offline');
  await banner.getByText('You are offline.').waitFor();
  assert.equal(await anna.getByRole('button', { name: 'New task' }).isDisabled(), true);
  await demo.api('POST', '/hotel/api/tasks', { token, body: { taskId: 'missed', propertyId: 'p-canal', title: 'Missed' } });
  await anna.context().setOffline(false);
  await banner.waitFor({ state: 'detached' });
  await shows(anna, 'Missed');
});

test('a session that was ended elsewhere: the banner leads back to the door', slow, async () => {
  const lena = await demo.person('lena');
  execFileSync('sqlite3', ['-cmd', '.timeout 5000', demo.file('hotel.db'), "PRAGMA foreign_keys = ON; DELETE FROM session WHERE staff_id = 'lena'"]);
  await lena.evaluate(() => localStorage.setItem('auth-expiry', `${Date.now() - 10_000}`));
  await lena.getByRole('button', { name: 'Start: Sauna shows error E4' }).click();
  await lena.locator('.bellhop-expired').getByText('Your session has ended.').waitFor();
  // What could not be saved is taken back.
  await lena.getByText('Not saved: sign in again.').waitFor();
  await lena.locator('.column.open').filter({ has: card(lena, 'Sauna shows error E4') }).waitFor();
  await lena.getByRole('button', { name: 'Log in' }).click();
  await enter(lena, 'chiara');
  assert.equal(new URL(lena.url()).pathname, '/tasks');
});
