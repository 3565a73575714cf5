// stream.mjs: a client of event streams, as a browser's EventSource is one: it
// parses by the rules of the HTML standard, section 9.2.6, keeps the last id,
// waits for as long as `retry` says, and comes back.
import http from 'node:http';
import { sleep } from './wait.mjs';

const place = (cursor) => Number(cursor?.split('-')[1] ?? 0);

// One stream: emits each message { type, data, id }; ends with the answer.
export class StreamParser {
  id = '';
  #line = '';
  #data = [];
  #type = '';

  constructor(on) {
    this.on = on;
  }

  write(text) {
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop();
    for (const line of lines) this.#take(line.replace(/\r$/, ''));
  }

  #take(line) {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return this.on.comment?.(line.slice(1));
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    if (name === 'event') this.#type = value;
    if (name === 'id') this.id = value;
    if (name === 'retry' && /^\d+$/.test(value)) this.on.retry?.(Number(value));
    return undefined;
  }

  #dispatch() {
    if (this.id) this.on.id?.(this.id);
    if (this.#data.length > 0) this.on.message?.({ type: this.#type || 'message', data: this.#data.join('\n'), id: this.id });
    this.#data = [];
    this.#type = '';
  }
}

// A request that stays: `on.text` gets what comes. Resolves with the head; its
// `ended` resolves when the answer is over, `leave()` hangs up.
export function openStream(url, { headers = {}, on }) {
  return new Promise((resolve, reject) => {
    const req = http.request(url, { headers, agent: false }, (res) => {
      res.setEncoding('utf8');
      res.on('data', on);
      const ended = new Promise((done) => res.on('close', () => done({ complete: res.complete })));
      res.on('error', () => {});
      resolve({ status: res.statusCode, headers: res.headers, ended, leave: () => req.destroy(), res });
    });
    req.on('error', reject);
    req.end();
  });
}

export class EventSubscriber {
  events = [];
  gaps = [];
  notices = [];
  retries = [];
  comments = 0;
  opened = 0;
  endings = [];

  constructor(stack, { cursor = null, path = '/tasks/realtime/stream', headers = {}, ...who } = {}) {
    Object.assign(this, { stack, cursor, path, headers, who });
    this.token = who.token ?? stack.token(who);
  }

  get ids() {
    return this.events.map((event) => event.eventId);
  }

  start() {
    this.stopped = false;
    this.done = this.#loop();
    return this;
  }

  async stop() {
    this.stopped = true;
    this.stream?.leave();
    await this.done;
  }

  #message({ type, data, id }) {
    const json = JSON.parse(data);
    if (type === 'message') this.events.push(json);
    else if (type === 'gap') this.gaps.push({ ...json, from: place(this.before), to: place(id) });
    else this.notices.push({ type, ...json });
    this.before = id;
  }

  // Until its answer is over.
  async once() {
    this.before = this.cursor;
    const parser = new StreamParser({
      message: (message) => this.#message(message),
      id: (id) => (this.cursor = id),
      retry: (ms) => this.retries.push(ms),
      comment: () => this.comments++,
    });
    const headers = { authorization: `Bearer ${this.token}`, accept: 'text/event-stream', ...this.headers };
    if (this.cursor) headers['last-event-id'] = this.cursor;
    this.stream = await openStream(this.stack.url + this.path, { headers, on: (text) => parser.write(text) });
    if (this.stream.status !== 200) {
      this.stream.leave();
      throw new Error(`the stream was answered with ${this.stream.status}`);
    }
    this.opened++;
    if (this.stopped) this.stream.leave(); // stop() came before the stream
    this.endings.push(await this.stream.ended);
  }

  async #loop() {
    while (!this.stopped) {
      await this.once().catch(() => {});
      if (!this.stopped) await sleep(50); // not for as long as `retry` says: tests are to be short
    }
  }
}
