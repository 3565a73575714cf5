// One task.
import { memo } from 'react';
import type { Happening } from './activity';
import { Avatar } from './avatar';
import { ago } from './time';
import type { Hotel, Status, Task } from './types';

export const nextStep: Record<Status, { to: Status; label: string }> = {
  open: { to: 'doing', label: 'Start' },
  doing: { to: 'done', label: 'Finish' },
  done: { to: 'open', label: 'Reopen' },
};

interface Props {
  task: Task;
  hotel: Hotel;
  fresh: Happening | undefined;
  now: number;
  onStep: (task: Task) => void;
  onOpen: (task: Task) => void;
}

export const Card = memo(function Card({ task, hotel, fresh, now, onStep, onOpen }: Props) {
  const assignee = hotel.staff.find((one) => one.id === task.assignee);
  const author = hotel.staff.find((one) => one.id === task.updatedBy);
  const house = hotel.properties.find((one) => one.id === task.propertyId);
  const step = nextStep[task.status];
  const byOther = fresh !== undefined && fresh.by !== hotel.me.id;
  return (
    <li className={`card ${task.status} ${byOther ? 'fresh' : ''}`} data-task={task.taskId} data-version={task.version}>
      <p className="place">
        <span>{house?.name}</span>
        {task.room && (
          <span>
            <span className="unseen">Room </span>
            {task.room}
          </span>
        )}
        {task.priority === 'urgent' && <span className="tag urgent">Urgent</span>}
        {task.priority === 'low' && <span className="tag">Low</span>}
      </p>
      <h3>
        <button type="button" className="title" onClick={() => onOpen(task)}>
          {task.title}
        </button>
      </h3>
      {task.notes && <p className="notes">{task.notes}</p>}
      <footer>
        {assignee ? (
          <span className="assignee">
            <Avatar id={assignee.id} name={assignee.name} size="s" />
            {assignee.id === hotel.me.id ? 'You' : assignee.name}
          </span>
        ) : (
          <span className="assignee nobody">Nobody yet</span>
        )}
        <button type="button" className="step" onClick={() => onStep(task)} aria-label={`${step.label}: ${task.title}`}>
          {step.label}
        </button>
      </footer>
      <p className="meta">
        {byOther ? (
          <span className="news">
            {author?.name.split(' ')[0]} {fresh.what} this just now
          </span>
        ) : (
          <>
            {task.version === 0 ? 'saving…' : `${ago(task.updatedAt, now)}, ${author?.id === hotel.me.id ? 'you' : (author?.name ?? task.updatedBy)}`}
          </>
        )}
      </p>
    </li>
  );
});
