// What has happened since the page was opened: for the ticker, for the rows'
// highlight, and for what a screen reader is told.
import type { Task, TaskEvent } from './types';

export interface Happening {
  id: string; // the event's
  taskId: string;
  title: string;
  propertyId: string;
  by: string; // who did it
  what: string; // "finished"
  at: number; // this browser's clock
}

const kept = 40;
const freshMs = 4000;

// From how it was to how it is. `name`: a person's first name.
export function describe(event: TaskEvent, was: Task | undefined, name: (id: string) => string): string {
  const is = event.payload;
  if (event.eventType === 'TaskCreated') return 'added';
  if (event.eventType === 'TaskDeleted') return 'deleted';
  if (was && was.status !== is.status) {
    return { open: 'reopened', doing: 'started', done: 'finished' }[is.status];
  }
  if (was && was.assignee !== is.assignee) {
    return is.assignee === null ? 'unassigned' : is.assignee === is.updatedBy ? 'took' : `handed ${name(is.assignee)}`;
  }
  if (was && was.priority !== is.priority) return is.priority === 'urgent' ? 'marked as urgent' : 'reprioritised';
  return 'edited';
}

export class Activity {
  #happenings: readonly Happening[] = [];
  #fresh: ReadonlyMap<string, Happening> = new Map();
  #known = new Map<string, Task>();
  #listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  happenings = (): readonly Happening[] => this.#happenings;
  // By task: what has changed just now.
  fresh = (): ReadonlyMap<string, Happening> => this.#fresh;

  // How the server had it last: the cache may be ahead of that by our own hand.
  known = (id: string): Task | undefined => this.#known.get(id);
  remember(tasks: readonly Task[]): void {
    for (const task of tasks) {
      if ((this.#known.get(task.taskId)?.version ?? 0) <= task.version) this.#known.set(task.taskId, task);
    }
  }

  add(news: readonly Happening[]): void {
    this.#happenings = [...[...news].reverse(), ...this.#happenings].slice(0, kept);
    this.#fresh = new Map([...this.#fresh, ...news.map((one) => [one.taskId, one] as const)]);
    setTimeout(() => this.#fade(news), freshMs);
    this.#tell();
  }

  clear(): void {
    this.#happenings = [];
    this.#fresh = new Map();
    this.#known.clear();
    this.#tell();
  }

  #fade(old: readonly Happening[]): void {
    const gone = new Set(old);
    this.#fresh = new Map([...this.#fresh].filter(([, one]) => !gone.has(one)));
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
