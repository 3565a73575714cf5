// The board: houses, three columns, and what happens meanwhile.
import { useQuery } from '@tanstack/react-query';
import { RealtimeProvider } from 'bellhop-client/react';
import { useLiveStaleTime } from 'bellhop-client/react-query';
import { useCallback, useEffect, useState } from 'react';
import { fetchHotel, fetchSummary } from './api';
import { Avatar } from './avatar';
import { Card, nextStep } from './card';
import { type Changes, useChanges } from './changes';
import { Houses } from './houses';
import { listKey, summaryKey } from './lists';
import { useFilter } from './place';
import { Presence } from './presence';
import { client, loadTasks } from './realtime';
import { auth } from './session';
import { type Fields, Sheet } from './sheet';
import { Announcer, Ticker, useFresh } from './ticker';
import { useNow } from './time';
import type { Filter, Hotel, Status, Task } from './types';

const columns: { status: Status; name: string; empty: string }[] = [
  { status: 'open', name: 'To do', empty: 'Nothing waits here.' },
  { status: 'doing', name: 'In progress', empty: 'Nobody is at anything.' },
  { status: 'done', name: 'Done', empty: 'Nothing finished yet.' },
];

const trimmed = (fields: Fields): Fields => ({ ...fields, title: fields.title.trim(), room: fields.room.trim() });

// What differs: nothing is written that was not touched.
const changeOf = (task: Task, fields: Fields) => {
  const names = ['title', 'room', 'notes', 'priority', 'assignee'] as const;
  return Object.fromEntries(names.filter((name) => task[name] !== fields[name]).map((name) => [name, fields[name]]));
};

const useRows = (filter: Filter, staleTime: number) =>
  useQuery({
    queryKey: listKey(filter),
    queryFn: ({ signal }) => loadTasks(filter, signal),
    staleTime,
    placeholderData: (before) => before,
  });

function TopBar({ hotel }: { hotel: Hotel }) {
  return (
    <header className="top">
      <p className="wordmark">
        {hotel.org.split(' ')[0]} <em>{hotel.org.split(' ').slice(1).join(' ')}</em>
      </p>
      <div className="spacer" />
      <Presence />
      <div className="me">
        <Avatar id={hotel.me.id} name={hotel.me.name} />
        <span className="who">
          <strong>{hotel.me.name}</strong>
          <span>{hotel.me.role}</span>
        </span>
        <button type="button" className="quiet" onClick={() => auth.logout()}>
          Sign out
        </button>
      </div>
    </header>
  );
}

function Columns({ tasks, hotel, changes, onOpen }: { tasks: Task[]; hotel: Hotel; changes: Changes; onOpen: (task: Task) => void }) {
  const [current, setCurrent] = useState<Status>('open');
  const fresh = useFresh();
  const now = useNow();
  const { mutate } = changes.change;
  const step = useCallback((task: Task) => mutate({ task, change: { status: nextStep[task.status].to } }), [mutate]);
  return (
    <div>
      <div className="switch" role="group" aria-label="Column">
        {columns.map(({ status, name }) => (
          <button key={status} type="button" aria-pressed={current === status} onClick={() => setCurrent(status)}>
            {name} <span className="count">{tasks.filter((task) => task.status === status).length}</span>
          </button>
        ))}
      </div>
      <div className="columns" data-current={current}>
        {columns.map(({ status, name, empty }) => {
          const own = tasks.filter((task) => task.status === status);
          return (
            <section key={status} className={`column ${status}`} aria-labelledby={`column-${status}`}>
              <h2 id={`column-${status}`}>
                {name} <span className="count">{own.length}</span>
              </h2>
              {own.length === 0 && <p className="empty">{empty}</p>}
              <ul>
                {own.map((task) => (
                  <Card key={task.taskId} task={task} hotel={hotel} fresh={fresh.get(task.taskId)} now={now} onStep={step} onOpen={onOpen} />
                ))}
              </ul>
            </section>
          );
        })}
      </div>
    </div>
  );
}

function Work({ hotel }: { hotel: Hotel }) {
  const [filter, setFilter] = useFilter();
  const [sheet, setSheet] = useState<Task | 'new' | null>(null);
  const [complaint, setComplaint] = useState('');
  const staleTime = useLiveStaleTime();
  const rows = useRows(filter, staleTime);
  const summary = useQuery({ queryKey: summaryKey, queryFn: ({ signal }) => fetchSummary(signal), staleTime });
  const changes = useChanges(hotel.me.id, setComplaint);
  const open = useCallback((task: Task) => setSheet(task), []);

  useEffect(() => {
    if (complaint === '') return;
    const timer = setTimeout(() => setComplaint(''), 8000);
    return () => clearTimeout(timer);
  }, [complaint]);

  const save = (fields: Fields): void => {
    const all = trimmed(fields);
    if (sheet === 'new') changes.create.mutate({ ...all, taskId: crypto.randomUUID() });
    else if (sheet) {
      const change = changeOf(sheet, all);
      if (Object.keys(change).length > 0) changes.change.mutate({ task: sheet, change });
    }
  };
  return (
    <>
      <TopBar hotel={hotel} />
      <main>
        <h1 className="unseen">Tasks</h1>
        <Houses hotel={hotel} summary={summary.data} chosen={filter.property} onChoose={(property) => setFilter({ property })} />
        <div className="tools">
          <label className="inline">
            Show
            <select value={filter.assignee} onChange={(event) => setFilter({ assignee: event.target.value })}>
              <option value="">everybody’s tasks</option>
              {hotel.staff.map((one) => (
                <option key={one.id} value={one.id}>
                  {one.id === hotel.me.id ? 'my tasks' : `${one.name}’s`}
                </option>
              ))}
            </select>
          </label>
          <button type="button" className="primary" onClick={() => setSheet('new')}>
            New task
          </button>
        </div>
        {rows.isError && <p role="alert" className="trouble">The tasks can’t be read: {rows.error.message}</p>}
        <div className="work">
          <Columns tasks={rows.data ?? []} hotel={hotel} changes={changes} onOpen={open} />
          <Ticker hotel={hotel} />
        </div>
      </main>
      <Announcer hotel={hotel} />
      <p className="toast" role="alert" hidden={complaint === ''}>
        {complaint}
      </p>
      {sheet && (
        <Sheet
          key={sheet === 'new' ? 'new' : sheet.taskId}
          hotel={hotel}
          task={sheet === 'new' ? null : sheet}
          property={filter.property}
          onSave={save}
          onDelete={(task) => changes.remove.mutate(task)}
          onClose={() => setSheet(null)}
        />
      )}
    </>
  );
}

// The stream begins where the first rows end: so it is begun when they are there.
export function Board() {
  const [filter] = useFilter();
  const hotel = useQuery({ queryKey: ['hotel'], queryFn: ({ signal }) => fetchHotel(signal), staleTime: Number.POSITIVE_INFINITY });
  const rows = useRows(filter, 25_000);
  const name = hotel.data?.org;
  useEffect(() => {
    if (name) document.title = `Tasks · ${name}`;
  }, [name]);
  const error = hotel.error ?? rows.error;
  if (hotel.data && rows.data) {
    return (
      <RealtimeProvider client={client}>
        <Work hotel={hotel.data} />
      </RealtimeProvider>
    );
  }
  if (error) return <p role="alert" className="trouble waiting">The board can’t be read: {error.message}</p>;
  return <p role="status" className="waiting">One moment…</p>;
}
