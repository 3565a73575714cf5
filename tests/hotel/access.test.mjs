// For everybody: axe-core over each view, the keyboard alone, a narrow screen,
// and no motion for those who asked for none.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Demo, add, card, shows } from './demo.mjs';

const axe = createRequire(import.meta.url)('axe-core').source;
const demo = await Demo.forFile();
const slow = { timeout: 120_000 };
const phone = { viewport: { width: 390, height: 844 } };

// What axe finds wrong, as a line each.
async function judge(tab) {
  const found = await tab.evaluate(async (source) => {
    // biome-ignore lint: axe is a script that sets window.axe
    if (!window.axe) new Function(source)();
    const { violations } = await window.axe.run();
    return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.target} ${node.failureSummary}`));
  }, axe);
  assert.deepEqual(found, []);
}

for (const [name, options] of [
  ['by day', { colorScheme: 'light' }],
  ['by night', { colorScheme: 'dark' }],
  ['on a phone', { ...phone, colorScheme: 'light' }],
  ['on a phone by night', { ...phone, colorScheme: 'dark' }],
]) {
  test(`axe finds nothing ${name}`, slow, async () => {
    // Colours are judged once they stand still.
    const still = { ...options, bypassCSP: true, reducedMotion: 'reduce' };
    const door = await demo.tab(await demo.open(still));
    await door.goto(`${demo.url}/`);
    await door.getByRole('button', { name: 'Anna Keller' }).waitFor();
    await judge(door);

    const anna = await demo.person('anna', still);
    const { accessToken: token } = await demo.login('emeka');
    const title = `Seen ${name}`;
    await demo.api('POST', '/hotel/api/tasks', { token, body: { taskId: title.replaceAll(' ', '-'), propertyId: 'p-canal', title, notes: 'With notes', room: '9', priority: 'urgent' } });
    await shows(anna, title);
    await judge(anna);
    await anna.locator('.presence summary').click();
    await judge(anna);
    await anna.locator('.presence summary').click();
    await anna.getByRole('button', { name: title, exact: true }).click();
    await anna.getByRole('dialog').waitFor();
    await judge(anna);
  });
}

test('by the keyboard alone: add a task, start it, close a sheet without harm', slow, async () => {
  const anna = await demo.person('anna');
  const press = (...keys) => keys.reduce((before, key) => before.then(() => anna.keyboard.press(key)), Promise.resolve());
  const focused = () => anna.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent);
  const tabTo = async (name) => {
    for (let i = 0; i < 80; i++) {
      await press('Tab');
      if ((await focused()) === name) return;
    }
    assert.fail(`the Tab key doesn't reach ${name}`);
  };
  await tabTo('New task');
  await press('Enter');
  await anna.getByRole('dialog').waitFor();
  await anna.keyboard.type('By keyboard');
  await press('Enter');
  await shows(anna, 'By keyboard');
  assert.equal(await focused(), 'New task', 'the focus is back where it was');
  await tabTo('Start: By keyboard');
  await press('Space');
  await anna.locator('.column.doing').filter({ has: card(anna, 'By keyboard') }).waitFor();

  await anna.getByRole('button', { name: 'By keyboard', exact: true }).focus();
  await press('Enter');
  await anna.getByRole('textbox', { name: 'What is to be done?' }).fill('Not this');
  await press('Escape');
  await anna.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await card(anna, 'By keyboard').count(), 1);
});

test('a screen reader is told what others do, and not what the person did', slow, async () => {
  const anna = await demo.person('anna');
  const { accessToken: token } = await demo.login('emeka');
  const told = anna.locator('.unseen[role=status]');
  await demo.api('POST', '/hotel/api/tasks', { token, body: { taskId: 'told', propertyId: 'p-canal', title: 'Oil the hinges' } });
  await told.filter({ hasText: 'Emeka added Oil the hinges' }).waitFor();
  await told.filter({ hasText: /^$/ }).waitFor();
  await add(anna, 'My own doing');
  await shows(anna, 'My own doing');
  await anna.locator('.ticker li').filter({ hasText: 'My own doing' }).waitFor();
  assert.equal(await told.textContent(), '');
});

test('nothing has to be scrolled sideways, at 320 pixels either', slow, async () => {
  for (const width of [320, 390, 768, 1280]) {
    const anna = await demo.person('anna', { viewport: { width, height: 800 } });
    await anna.getByRole('button', { name: 'Sauna shows error E4', exact: true }).click();
    const [page, sheet] = await anna.evaluate(() => [document.documentElement.scrollWidth - innerWidth, document.querySelector('dialog').scrollWidth - document.querySelector('dialog').clientWidth]);
    assert.ok(page <= 0, `the page at ${width}: ${page} too wide`);
    assert.ok(sheet <= 0, `the sheet at ${width}: ${sheet} too wide`);
  }
});

test('who asked for no motion gets none, and sees the highlight all the same', slow, async () => {
  const anna = await demo.person('anna', { reducedMotion: 'reduce' });
  const { accessToken: token } = await demo.login('emeka');
  await demo.api('POST', '/hotel/api/tasks', { token, body: { taskId: 'still', propertyId: 'p-canal', title: 'Keep still' } });
  await anna.locator('.card.fresh').filter({ hasText: 'Keep still' }).waitFor();
  assert.equal(await anna.evaluate(() => document.getAnimations().length), 0);
});
