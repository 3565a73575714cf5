// browsers.mjs: Debian's browsers. Chromium is driven by playwright-core, Firefox by
// puppeteer-core over WebDriver BiDi; tests use only what both can do, and name what
// they want of Chromium alone.
import fs from 'node:fs';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

const programs = { chromium: '/usr/bin/chromium', firefox: '/usr/bin/firefox-esr' };

export const installed = (name) => fs.existsSync(programs[name]);

export async function startChromium() {
  const args = ['--disable-quic', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--js-flags=--expose-gc'];
  const browser = await chromium.launch({ executablePath: programs.chromium, args, chromiumSandbox: false });
  return {
    name: `Chromium ${browser.version()}`,
    context: async () => browser.newContext(),
    close: () => browser.close(),
  };
}

// Its tabs lie behind each other, so all but the front one are hidden in earnest.
export async function startFirefox() {
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: programs.firefox, headless: true });
  return {
    name: (await browser.version()).replace('firefox/', 'Firefox '),
    context: async () => browser.createBrowserContext(),
    close: () => browser.close(),
  };
}
