// What has just happened, newest first; and the same for a screen reader.
import { memo, useSyncExternalStore } from 'react';
import { Avatar } from './avatar';
import { activity } from './realtime';
import { ago, useNow } from './time';
import type { Hotel } from './types';

export const useHappenings = () => useSyncExternalStore(activity.subscribe, activity.happenings);
export const useFresh = () => useSyncExternalStore(activity.subscribe, activity.fresh);

export const Ticker = memo(function Ticker({ hotel }: { hotel: Hotel }) {
  const happenings = useHappenings();
  const now = useNow();
  const person = (id: string): string => hotel.staff.find((one) => one.id === id)?.name ?? id;
  const house = (id: string): string => hotel.properties.find((one) => one.id === id)?.name ?? '';
  return (
    <aside className="ticker" aria-labelledby="ticker-title">
      <h2 id="ticker-title">Just now</h2>
      {happenings.length === 0 ? (
        <p className="empty">Quiet so far. What anybody does shows up here within a moment.</p>
      ) : (
        <ol>
          {happenings.map((one) => (
            <li key={one.id}>
              <Avatar id={one.by} name={person(one.by)} size="s" />
              <p>
                <strong>{one.by === hotel.me.id ? 'You' : person(one.by).split(' ')[0]}</strong> {one.what} <q>{one.title}</q>
                <span className="meta">
                  {house(one.propertyId)} · {ago(one.at, now)}
                </span>
              </p>
            </li>
          ))}
        </ol>
      )}
    </aside>
  );
});

// Only what others do, and of several things at once only the last and how many.
export function Announcer({ hotel }: { hotel: Hotel }) {
  const fresh = [...useFresh().values()].filter((one) => one.by !== hotel.me.id);
  const last = fresh.at(-1);
  const name = hotel.staff.find((one) => one.id === last?.by)?.name.split(' ')[0];
  return (
    <p className="unseen" role="status">
      {last && `${name ?? 'Somebody'} ${last.what} ${last.title}${fresh.length > 1 ? `, and ${fresh.length - 1} more` : ''}`}
    </p>
  );
}
