// browsers.mjs: Debian's browsers. Chromium is driven by playwright-core, which shows all
// tabs as visible, as tabs in windows of their own are; where a tab is to be behind another,
// by puppeteer-core, which does nothing about it. Firefox is driven by puppeteer-core over
// WebDriver BiDi. Tests use only what all can do, and name what they want of one alone.
import fs from 'node:fs';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

const programs = { chromium: '/usr/bin/chromium', firefox: '/usr/bin/firefox-esr' };

export const installed = (name) => fs.existsSync(programs[name]);

const args = ['--disable-quic', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export async function startChromium() {
  const browser = await chromium.launch({ executablePath: programs.chromium, args, chromiumSandbox: false });
  return {
    name: `Chromium ${browser.version()}`,
    context: async () => browser.newContext(),
    close: () => browser.close(),
  };
}

// Tabs of one window: all but the front one are hidden in earnest.
export async function startTabs() {
  const browser = await puppeteer.launch({ executablePath: programs.chromium, headless: true, waitForInitialPage: false, args: [...args, '--no-sandbox'] });
  return {
    name: `${(await browser.version()).replace('Chrome/', 'Chromium ')}, tabs of one window`,
    context: async () => browser.createBrowserContext(),
    close: () => browser.close(),
  };
}

// Its tabs lie behind each other too.
export async function startFirefox() {
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: programs.firefox, headless: true });
  return {
    name: (await browser.version()).replace('firefox/', 'Firefox '),
    context: async () => browser.createBrowserContext(),
    close: () => browser.close(),
  };
}
