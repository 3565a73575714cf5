// The server as PROTOCOL.md has it, in memory: a log, a buffer that forgets, polls that wait, streams, and any
// failure that a test wants.
import type { Tab } from './browser.js';
import { nobody, type World } from './world.js';

export interface Seen {
  tab: string;
  path: string;
  cursor: string | null;
  token: string | null;
  filter: string | null;
  at: number;
  endedAt: number | null;
  headers: Record<string, string>;
  url: string;
}

/** What to answer instead: a response, no answer at all, or a broken connection. `undefined`: as usual. */
export type Intercept = (request: Seen) => Response | 'hang' | 'network' | undefined;

interface Row {
  seq: number;
  eventId: string;
  propertyId?: string;
  payload: unknown;
}

interface Waiter {
  seen: Seen;
  tab: Tab;
  after: number;
  wake(): void;
}

export class Server {
  log: Row[] = [];
  logId = 'log1';
  /** What came before is neither in memory, or not even in the log. */
  inMemoryFrom = 1;
  inLogFrom = 1;
  requests: Seen[] = [];
  intercept: Intercept = () => undefined;
  /** One way, milliseconds. */
  latency: [number, number] = [1, 20];
  pollMs = 25_000;
  heartbeatMs = 15_000;
  /** Something on the way keeps a stream's answer back. */
  buffering = false;
  /** Streams do not live longer. */
  streamMaxMs = 600_000;
  historyPage = 200;
  #waiters = new Set<Waiter>();
  #streams = new Set<{ tab: Tab; end(reason?: 'network'): void; send(line: unknown): void }>();
  #head = 0;

  constructor(readonly world: World) {}

  // ---- what a test does to it ----

  publish(n = 1, more: Partial<Row> = {}): number[] {
    const seqs = [];
    for (let i = 0; i < n; i++) {
      const seq = ++this.#head;
      this.log.push({ seq, eventId: `e-${seq}`, payload: { n: seq }, ...more });
      seqs.push(seq);
    }
    for (const waiter of [...this.#waiters]) waiter.wake();
    return seqs;
  }

  /** A backup was laid in: another log, or a past of this one. */
  restore(logId: string, head: number): void {
    this.logId = logId;
    this.#head = head;
    this.log = this.log.filter(({ seq }) => seq <= head);
  }

  get head(): string {
    return `${this.logId}-${this.#head}`;
  }

  subscribes(tab?: Tab): Seen[] {
    return this.requests.filter((r) => /subscribe|stream/.test(r.path) && (!tab || r.tab === tab.id));
  }

  /** Polls and streams under way. */
  waiting(): number {
    return this.subscribes().filter((r) => r.endedAt === null).length;
  }

  endStreams(line?: unknown): void {
    for (const stream of [...this.#streams]) {
      if (line) stream.send(line);
      stream.end();
    }
  }

  cutStreams(): void {
    for (const stream of [...this.#streams]) stream.end('network');
  }

  forget(tab: Tab): void {
    for (const waiter of this.#waiters) if (waiter.tab === tab) this.#waiters.delete(waiter);
    for (const request of this.requests) if (request.tab === tab.id) request.endedAt ??= this.world.time;
  }

  // ---- HTTP ----

  fetch(tab: Tab, url: string, init: RequestInit): Promise<Response> {
    const headers = Object.fromEntries(new Headers(init.headers));
    const { pathname, searchParams } = new URL(url);
    const seen: Seen = {
      tab: tab.id,
      path: pathname.split('/').at(-1) + (searchParams.has('wait') ? '?wait=0' : ''),
      cursor: headers['last-event-id'] ?? null,
      token: headers.authorization?.replace('Bearer ', '') ?? null,
      filter: searchParams.get('propertyId'),
      at: this.world.time,
      endedAt: null,
      headers,
      url,
    };
    this.requests.push(seen);
    const signal = init.signal as AbortSignal;
    return new Promise((resolve, reject) => {
      const over = () => {
        seen.endedAt ??= this.world.time;
      };
      const abort = () => {
        over();
        reject(new DOMException('it was aborted', 'AbortError'));
      };
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort);
      const answer = (response: Response, streaming = false) =>
        this.#travel(tab, () => {
          if (!streaming) over();
          resolve(response);
        });
      const fail = (why: string) =>
        this.#travel(tab, () => {
          over();
          reject(new TypeError(why));
        });
      // To the server; then it answers, or something in between does.
      this.world.setTimer(
        nobody,
        () => {
          if (signal.aborted || tab.dead) return;
          if (tab.page.online() === false) return fail('offline');
          const instead = this.intercept(seen);
          if (instead === 'hang') return;
          if (instead === 'network') return fail('refused');
          if (instead) return answer(instead);
          this.#serve(tab, seen, signal, answer);
        },
        this.world.between(...this.latency),
      );
    });
  }

  #travel(tab: Tab, arrive: () => void): void {
    this.world.setTimer(
      nobody,
      () => this.world.post(tab, `net ${tab.id} ${this.world.random()}`, arrive),
      this.world.between(...this.latency),
    );
  }

  #serve(
    tab: Tab,
    seen: Seen,
    signal: AbortSignal,
    answer: (r: Response, streaming?: boolean) => void,
  ): void {
    const answers: Record<string, () => void> = {
      cursor: () => answer(body({ cursor: this.head })),
      history: () => answer(this.#history(seen)),
      'subscribe?wait=0': () => answer(this.#answer(seen)),
      subscribe: () => this.#park(tab, seen, signal, answer),
      stream: () => this.#stream(tab, seen, signal, answer),
    };
    (answers[seen.path] ?? (() => answer(new Response('', { status: 404 }))))();
  }

  #place(cursor: string | null): { after: number; gap: string | null } {
    const [logId, seq] = cursor?.split('-') ?? [];
    const after = Number(seq);
    if (logId !== this.logId || after > this.#head) return { after: this.#head, gap: 'log' };
    if (after < this.inLogFrom - 1) return { after: this.#head, gap: 'expired' };
    if (after < this.inMemoryFrom - 1) return { after: this.#head, gap: 'evicted' };
    return { after, gap: null };
  }

  #after(after: number, filter: string | null): unknown[] {
    return this.log
      .filter(
        (r) => r.seq > after && (filter === null || r.propertyId === undefined || r.propertyId === filter),
      )
      .map((row) => ({ eventType: 'TaskCreated', timestamp: 1, orgId: 'org-1', ...row }));
  }

  #answer(seen: Seen): Response {
    const { after, gap } = this.#place(seen.cursor);
    return body({ events: this.#after(after, seen.filter), cursor: this.head, gap: gap && { reason: gap } });
  }

  #history(seen: Seen): Response {
    const after = Number(seen.cursor?.split('-')[1]);
    const { gap } = this.#place(seen.cursor);
    if (gap && gap !== 'evicted')
      return body({ events: [], cursor: this.head, gap: { reason: gap }, more: false });
    const all = this.#after(after, seen.filter) as Row[];
    const page = all.slice(0, this.historyPage);
    const more = all.length > page.length;
    const cursor = more ? `${this.logId}-${page.at(-1)?.seq}` : this.head;
    return body({ events: page, cursor, gap: null, more });
  }

  #park(tab: Tab, seen: Seen, signal: AbortSignal, answer: (r: Response) => void): void {
    const { after, gap } = this.#place(seen.cursor);
    if (gap || this.#after(after, seen.filter).length) {
      answer(this.#answer(seen));
      return;
    }
    const done = () => {
      if (!this.#waiters.delete(waiter)) return;
      this.world.clearTimer(timer);
      answer(this.#answer(seen));
    };
    const waiter: Waiter = {
      seen,
      tab,
      after,
      wake: () => {
        if (this.#after(after, seen.filter).length) done();
      },
    };
    const timer = this.world.setTimer(nobody, done, this.pollMs);
    this.#waiters.add(waiter);
    signal.addEventListener('abort', () => {
      this.#waiters.delete(waiter);
      this.world.clearTimer(timer);
    });
  }

  #stream(
    tab: Tab,
    seen: Seen,
    signal: AbortSignal,
    answer: (r: Response, streaming: boolean) => void,
  ): void {
    let control: ReadableStreamDefaultController<Uint8Array>;
    const lane = `stream ${tab.id} ${this.requests.length}`;
    let open = true;
    let ended = false;
    let { after, gap } = this.#place(seen.cursor);
    const arrive = (run: () => void) =>
      this.world.post(tab, lane, () => {
        try {
          if (open) run();
        } catch {
          // Its reader has cancelled it.
        }
      });
    const send = (line: unknown) => {
      if (!this.buffering && !ended)
        arrive(() => control.enqueue(new TextEncoder().encode(`${JSON.stringify(line)}\n`)));
    };
    const end = (reason?: 'network') => {
      ended = true;
      this.#streams.delete(stream);
      this.#waiters.delete(waiter);
      this.world.clearTimer(beat);
      this.world.clearTimer(life);
      seen.endedAt ??= this.world.time;
      arrive(() => {
        open = false;
        if (reason) control.error(new TypeError('reset'));
        else control.close();
      });
    };
    const stream = { tab, end, send };
    const wake = () => {
      for (const event of this.#after(after, seen.filter) as Row[]) {
        send({ event, cursor: `${this.logId}-${event.seq}` });
      }
      after = this.#head;
    };
    const waiter: Waiter = { seen, tab, after, wake };
    const pulse = () => {
      send({ cursor: `${this.logId}-${after}` });
      beat = this.world.setTimer(nobody, pulse, this.heartbeatMs);
    };
    let beat = this.world.setTimer(nobody, pulse, this.heartbeatMs);
    const life = this.world.setTimer(nobody, () => end(), this.streamMaxMs);
    this.#streams.add(stream);
    this.#waiters.add(waiter);
    signal.addEventListener('abort', () => {
      const was = open;
      if (!ended) end();
      open = false;
      try {
        if (was) control.error(new DOMException('it was aborted', 'AbortError'));
      } catch {
        // As above.
      }
    });
    const source = new ReadableStream<Uint8Array>({
      start: (c) => {
        control = c;
      },
    });
    answer(new Response(source), true);
    send({ cursor: seen.cursor ?? this.head });
    if (gap) send({ gap: { reason: gap }, cursor: this.head });
    gap = null;
    wake();
  }
}

export function body(value: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), { headers: { 'content-type': 'application/json', ...headers } });
}

export function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ type: 'about:blank', title: code, status, code }), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  });
}
