// board.tsx: what both pages show. The tests read the document, as a person would.
import { useEffect, useState } from 'react';

export interface Task {
  taskId: string;
  n: number;
  title: string;
  status: string;
  version: number;
}

interface Numbered {
  payload: unknown;
}

const kept = 2000;

// The numbers of events, in the order in which they were handed over.
export function useTicker() {
  const [numbers, setNumbers] = useState<{ key: number; n: number }[]>([]);
  const [append] = useState(() => {
    let key = 0;
    return (events: readonly Numbered[]) => {
      const more = events.map(({ payload }) => ({ key: key++, n: (payload as { n: number }).n }));
      setNumbers((old) => [...old, ...more].slice(-kept));
    };
  });
  return [numbers, append] as const;
}

export function Ticker({ numbers }: { numbers: { key: number; n: number }[] }) {
  return (
    <ol id="ticker">
      {numbers.map(({ key, n }) => (
        <li key={key} data-n={n}>
          {n}
        </li>
      ))}
    </ol>
  );
}

export function List({ tasks }: { tasks: readonly Task[] }) {
  return (
    <ul id="list">
      {tasks.map((task, i) => (
        // The place is part of the key: a row that is there twice is to be seen twice.
        <li key={`${task.taskId} ${tasks.findIndex((each) => each.taskId === task.taskId) === i ? '' : i}`} data-row={task.taskId} data-n={task.n}>
          {task.title} <small>{task.status}</small>
        </li>
      ))}
    </ul>
  );
}

export function State({ role, status, connected }: { role: string; status: string; connected: boolean }) {
  return (
    <output id="state" data-role={role} data-status={status} data-connected={connected}>
      {role}, {status}
    </output>
  );
}

export function Totals({ summary, stats }: { summary?: { total: number }; stats?: { total: number } }) {
  return (
    <p>
      <span id="summary">{summary?.total}</span> of <span id="stats">{stats?.total}</span>
    </p>
  );
}

// An error that a test should know of.
export function useComplaint(error: unknown) {
  useEffect(() => {
    if (error) window.probe.errors.push(String(error));
  }, [error]);
}
