// subscriber.mjs: a client that polls as the contract asks: it sends the last
// cursor it was given, and notes what it gets.
import { sleep, waitFor } from './wait.mjs';

let subscribers = 0;
const place = (cursor) => Number(cursor?.split('-')[1] ?? 0);

export class Subscriber {
  events = []; // each as it was parsed, with its seq
  gaps = []; // { reason, from, to }: which seqs it was told it misses
  answers = []; // how many events each answer had
  errors = []; // what went wrong between two answers

  // `cursor: null` begins without one; `keepsCursor: false` never sends any, as
  // the playbook's first hook does. `patient`: errors are noted and the poll
  // is sent again; without it they fail the test.
  constructor(stack, { keepsCursor = true, patient = false, cursor = null, ...who } = {}) {
    // A web server that is deaf leaves the last poll parked: it is ended by name.
    if (stack.web.deaf) who.clientId ??= `subscriber-${++subscribers}`;
    Object.assign(this, { stack, keepsCursor, patient, cursor, who });
    this.token = who.token ?? stack.token(who);
  }

  // Poll until stop(). The promise it leaves in `done` is awaited there.
  start() {
    this.abort = new AbortController();
    this.stopping = this.ended = false;
    this.done = this.#loop().finally(() => (this.ended = true));
    this.done.catch((error) => console.error(`${this.who.sub} polls no more: ${error.message}`)); // stop() fails with it
    return this;
  }

  // Left to itself a web server that is deaf would leave the last poll parked, or
  // park it when this is over: it is awaited, and another of its name ends it.
  async stop() {
    this.stopping = true;
    if (this.stack.web.deaf) await waitFor('the last poll to end', () => this.ended || this.#supersede());
    this.abort.abort();
    await this.done;
  }

  async #supersede() {
    await this.stack.poll({ ...this.who, token: this.token, wait: 0 }).catch(() => {}); // it may all be down
  }

  get ids() {
    return this.events.map((event) => event.eventId);
  }

  // One poll.
  async poll(options = {}) {
    const cursor = this.keepsCursor ? this.cursor : null;
    const res = await this.stack.poll({ ...this.who, token: this.token, cursor, signal: this.abort?.signal, ...options });
    if (res.status !== 200) throw new Error(`subscribe: ${res.status} ${res.text}`);
    this.#note(res.json);
    return res;
  }

  #note({ events, cursor, gap }) {
    this.events.push(...events);
    this.answers.push(events.length);
    if (gap) this.gaps.push({ reason: gap.reason, from: place(this.cursor), to: place(cursor) });
    this.cursor = cursor;
  }

  async #loop() {
    while (!this.stopping) {
      try {
        const res = await this.poll();
        // Not for as long as a browser would wait: tests are to be short.
        if (res.headers['retry-after']) await sleep(50);
      } catch (error) {
        if (this.stopping) return;
        if (!this.patient) throw error;
        this.errors.push(error.message);
        await sleep(50);
      }
    }
  }
}
