// person.mjs: one user with a browser of his own, and its tabs. A context shares nothing
// with another: locks, channels, storage and cookies are a person's. What a tab shows is
// read from its document; probe.ts has written down when.
import { sleep, waitFor } from '../../lib/wait.mjs';

export class Person {
  tabs = [];

  static async of(rig, browser, options = {}) {
    const person = new Person();
    Object.assign(person, { rig, browser, ...rig.who(options), options });
    person.context = await browser.context(options);
    return person;
  }

  // Open a tab, and sign in if nobody is yet. `settings`: see app/settings.ts.
  async tab(settings = {}) {
    const query = new URLSearchParams({ user: this.user, org: this.org, ...this.options.settings, ...settings });
    const tab = new Tab(this, await this.context.newPage());
    this.tabs.push(tab);
    const begun = Date.now();
    await tab.page.goto(`${this.options.origin ?? this.rig.origin}/?${query}`);
    await tab.ready(begun);
    return tab;
  }

  async open(n, settings) {
    for (let i = 0; i < n; i++) await this.tab(settings);
    await this.settled();
    return this.tabs;
  }

  // One poll at the server, whoever sends it.
  settled() {
    return waitFor(`a poll of ${this.user}`, () => this.rig.gate.gauge(this.user) > 0);
  }

  // The tab whose poll the server holds.
  async leader() {
    return waitFor(() => `a tab that leads for ${this.user}`, async () => {
      const [poll] = this.rig.gate.inFlight.get(this.user) ?? [];
      if (!poll) return null;
      if (!poll.clientId) return this.tabs[0];
      for (const tab of this.tabs) if (!tab.frozen && (await tab.probe('clientId')) === poll.clientId) return tab;
      return null;
    });
  }

  async follower() {
    const leader = await this.leader();
    return this.tabs.find((tab) => tab !== leader);
  }

  async close() {
    await this.context.close();
  }
}

export class Tab {
  constructor(person, page) {
    Object.assign(this, { person, page });
  }

  // Its list is there. `begun`: when it was opened.
  async ready(begun = Date.now()) {
    try {
      await this.#begins();
    } catch (error) {
      throw new Error(`${error.message}\n${await this.#witness(begun)}`);
    }
  }

  // Nobody measures this. Fifty tabs that open at once on two busy processors take up to 17 s
  // for one.
  async #begins() {
    const patience = { ms: 120_000 };
    await this.until('what it shows', () => document.querySelector('#login, #list') !== null, null, patience);
    await this.page.evaluate(() => document.querySelector('#login')?.click());
    await this.until('its list', () => document.querySelector('#list') !== null, null, patience);
    // What comes from now on is to be shown: a client that knows positions knows its own.
    await this.until('where it is in the log', () => !window.client || window.client.getSnapshot().cursor !== null, null, patience);
  }

  // What is known of a tab that is stuck.
  async #witness(begun) {
    const asked = this.person.rig.gate.select({ from: begun }).filter(({ user }) => user === null || user === this.person.user);
    const requests = asked.map(({ at, end, method, path, user, status, left }) => `${at - begun} ms: ${method} ${path} of ${user}: ${status ?? 'no answer'}${left ? ', left' : ''}${end ? ` after ${end - at} ms` : ', open'}`);
    const page = this.page.evaluate(() => `${document.readyState}\n${document.body?.innerHTML}\n${JSON.stringify(window.probe)}`);
    const seen = await Promise.race([page, sleep(5000).then(() => 'the page does not answer')]).catch(String);
    return [...requests, seen].join('\n');
  }

  // Until CONDITION, evaluated in the page, holds.
  until(what, condition, argument, options) {
    return waitFor(`a tab of ${this.person.user} to show ${what}`, () => this.page.evaluate(condition, argument).catch(() => null), { every: 20, ...options });
  }

  probe(name) {
    return this.page.evaluate((key) => window.probe[key], name);
  }

  // A click of the page's own, so that its time is the event's.
  click(id) {
    return this.page.evaluate((name) => document.getElementById(name).click(), id);
  }

  state() {
    return this.page.evaluate(() => ({ ...document.getElementById('state')?.dataset }));
  }

  async numbers() {
    return (await this.probe('shown')).map(({ n }) => n);
  }

  shows(n, options) {
    return this.until(`number ${n}`, (wanted) => window.probe.shown.some((each) => each.n === wanted), n, options);
  }

  rows() {
    return this.page.evaluate(() => [...document.querySelectorAll('#list [data-row]')].map((row) => row.dataset.row));
  }

  async close() {
    this.person.tabs.splice(this.person.tabs.indexOf(this), 1);
    await this.page.close();
  }

  // ---- by the DevTools protocol; Chromium only ----

  async devtools() {
    return (this.session ??= await (this.page.createCDPSession?.() ?? this.person.context.newCDPSession(this.page)));
  }

  // The renderer dies, as of a fault of its own.
  async crash() {
    const session = await this.devtools();
    this.person.tabs.splice(this.person.tabs.indexOf(this), 1);
    session.send('Page.crash').catch(() => {}); // there is nobody left to answer
  }

  // As Chromium freezes a hidden tab, but for the exemption of one that holds a Web Lock:
  // so this is the harder case. Playwright's tabs can't be frozen: it keeps all of them
  // in focus.
  async freeze() {
    this.frozen = true;
    await (await this.devtools()).send('Page.setWebLifecycleState', { state: 'frozen' });
  }

  // What freeze() and hang() need, and what is not to be in their time.
  async prepare() {
    await (await this.devtools()).send('Debugger.enable');
  }

  // Its scripts stand still, and no event says so.
  async hang() {
    this.frozen = true;
    await (await this.devtools()).send('Debugger.pause');
  }

  async go() {
    await (await this.devtools()).send('Debugger.disable'); // which lets it go on
    this.frozen = false;
  }

  async thaw() {
    await (await this.devtools()).send('Page.setWebLifecycleState', { state: 'active' });
    this.frozen = false;
  }
}
