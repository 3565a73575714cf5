// Queries that are fetched again at most once in a while, and once more after the last call.
import type { QueryClient, QueryFilters } from '@tanstack/react-query';

/** What is sent a second apart may arrive a little closer together: the wait is longer by this. */
const MARGIN = 1.05;

interface Pause {
  timer: ReturnType<typeof setTimeout>;
  again: boolean;
}

export interface Refetcher {
  /** Now, or when the pause after the last time is over. `name` says which calls are of one kind. */
  ask(name: string, filters: QueryFilters, everyMs: number): void;
  close(): void;
}

export function createRefetcher(queryClient: QueryClient): Refetcher {
  const pauses = new Map<string, Pause>();

  /** A fetch under way began before the event. It is let finish: cancelling it each time would starve it. */
  function run(pause: Pause, filters: QueryFilters): void {
    pause.again = queryClient.isFetching(filters) > 0;
    if (!pause.again) void queryClient.invalidateQueries(filters);
  }

  return {
    ask(name, filters, everyMs) {
      const waiting = pauses.get(name);
      if (waiting) {
        waiting.again = true;
        return;
      }
      const over = () => {
        if (!pause.again) {
          pauses.delete(name);
          return;
        }
        run(pause, filters);
        pause.timer = setTimeout(over, everyMs * MARGIN);
      };
      const pause: Pause = { again: false, timer: setTimeout(over, everyMs * MARGIN) };
      pauses.set(name, pause);
      run(pause, filters);
    },
    close() {
      for (const { timer } of pauses.values()) clearTimeout(timer);
      pauses.clear();
    },
  };
}
