// Takes docs/hotel.png anew: BELLHOP_BUILD=build-gcc node tests/hotel/picture.mjs
import path from 'node:path';
import { Demo, add, card, root } from './demo.mjs';

const demo = await Demo.start();
try {
  const anna = await demo.person('anna', { viewport: { width: 1280, height: 800 } });
  const [chiara, emeka] = [await demo.person('chiara'), await demo.person('emeka')];
  await emeka.getByRole('button', { name: 'Start: Shower runs cold' }).click();
  await emeka.getByRole('button', { name: 'Finish: Lift makes a noise between 2 and 3' }).click();
  await add(chiara, 'Champagne for the honeymooners', { house: 'Canal 21' });
  await card(anna, 'Champagne for the honeymooners').waitFor();
  await chiara.getByRole('button', { name: 'Start: Birthday: flowers and a card before 18:00' }).click();
  await anna.locator('.ticker li').nth(3).waitFor();
  await anna.getByRole('button', { name: /^All houses/ }).filter({ hasText: '9 to do' }).waitFor();
  await anna.screenshot({ path: path.join(root, 'docs/hotel.png'), animations: 'allow' });
} finally {
  await demo.stop();
}
