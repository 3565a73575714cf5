// A browser and its network that obey a test: virtual time, and a seed that decides what happens first of all that
// could. Tabs share it; each can be frozen, killed or made deaf.

interface Timer {
  at: number;
  owner: Owner;
  run: () => void;
}

interface Task {
  /** Tasks of one lane keep their order, as messages of one sender do. */
  lane: string;
  owner: Owner;
  run: () => void;
}

/** Whose code runs: it doesn't while it is frozen, and never again once it is dead. */
export interface Owner {
  frozen: boolean;
  dead: boolean;
}

export const nobody: Owner = { frozen: false, dead: false };

export class World {
  time = 0;
  /** The wall clock is set by people. */
  wallShift = 1_700_000_000_000;
  #timers = new Set<Timer>();
  #tasks: Task[] = [];
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  /** mulberry32 */
  random = (): number => {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };

  between(low: number, high: number): number {
    return low + (high - low) * this.random();
  }

  wall(): number {
    return Math.floor(this.time + this.wallShift);
  }

  setTimer(owner: Owner, run: () => void, ms: number): unknown {
    const timer = { at: this.time + Math.max(ms, 0), owner, run };
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** Timers that wait, of one owner: what a closed client must not leave behind. */
  timersOf(owner: Owner): number {
    return [...this.#timers].filter((timer) => timer.owner === owner).length;
  }

  /** Runs soon, in an order of the seed's choice. */
  post(owner: Owner, lane: string, run: () => void): void {
    this.#tasks.push({ lane, owner, run });
  }

  /** Until nothing is left to do at this moment. */
  async settle(): Promise<void> {
    for (;;) {
      await turn();
      const task = this.#nextTask();
      if (!task) return;
      task.run();
    }
  }

  #nextTask(): Task | undefined {
    this.#tasks = this.#tasks.filter((task) => !task.owner.dead);
    const lanes = new Set<string>();
    const heads = this.#tasks.filter((task) => {
      const first = !lanes.has(task.lane);
      lanes.add(task.lane);
      return first && !task.owner.frozen;
    });
    const task = heads[Math.floor(this.random() * heads.length)];
    if (task) this.#tasks.splice(this.#tasks.indexOf(task), 1);
    return task;
  }

  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await this.settle();
    for (;;) {
      const timer = this.#nextTimer(end);
      if (!timer) break;
      this.#timers.delete(timer);
      this.time = Math.max(this.time, timer.at);
      timer.run();
      await this.settle();
    }
    this.time = end;
  }

  #nextTimer(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.owner.dead) this.#timers.delete(timer);
      else if (!timer.owner.frozen && timer.at <= end && (!next || timer.at < next.at)) next = timer;
    }
    return next;
  }

  /** Time passes and nobody's code runs: the machine sleeps. */
  sleep(ms: number): void {
    this.time += ms;
  }

  /** Advances until `condition` holds; fails after `ms` of virtual time. The time it took. */
  async until(what: string, condition: () => boolean, ms = 60_000): Promise<number> {
    const began = this.time;
    await this.settle();
    while (!condition()) {
      if (this.time - began > ms) throw new Error(`still not after ${ms} ms: ${what}`);
      await this.advance(10);
    }
    return this.time - began;
  }
}

/** All microtasks, and what streams put off. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
