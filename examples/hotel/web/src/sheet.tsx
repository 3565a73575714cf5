// The sheet of one task, a new one or one that is there.
import { useEffect, useRef, useState } from 'react';
import type { Hotel, Priority, Task } from './types';

export interface Fields {
  title: string;
  propertyId: string;
  room: string;
  notes: string;
  priority: Priority;
  assignee: string | null;
}

interface Props {
  hotel: Hotel;
  task: Task | null; // null: a new one
  property: string; // where a new one is likely to be
  onSave: (fields: Fields) => void;
  onDelete: (task: Task) => void;
  onClose: () => void;
}

const bytes = (text: string): number => new TextEncoder().encode(text).length;

// The backend counts bytes, so a field can be full before its maxLength.
const problem = (fields: Fields): string => {
  if (fields.title.trim() === '') return 'A task needs a title.';
  if (bytes(fields.title) > 160) return 'The title is too long.';
  if (bytes(fields.room) > 16) return 'The room is too long.';
  if (bytes(fields.notes) > 1000) return 'The notes are too long.';
  return '';
};

const blank = (hotel: Hotel, property: string): Fields => ({
  title: '',
  propertyId: property || (hotel.properties[0]?.id ?? ''),
  room: '',
  notes: '',
  priority: 'normal',
  assignee: null,
});

export function Sheet({ hotel, task, property, onSave, onDelete, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [fields, setFields] = useState<Fields>(task ?? blank(hotel, property));
  const [trouble, setTrouble] = useState('');
  const set = (part: Partial<Fields>): void => setFields((all) => ({ ...all, ...part }));

  useEffect(() => {
    dialog.current?.showModal();
  }, []);

  // Closed before it goes: so the focus returns to where it came from.
  const leave = (): void => dialog.current?.close();
  const staff = hotel.staff.filter((one) => one.properties === null || one.properties.includes(fields.propertyId));
  const save = (event: React.FormEvent): void => {
    event.preventDefault();
    const wrong = problem(fields);
    setTrouble(wrong);
    if (wrong !== '') return;
    onSave(fields);
    leave();
  };
  return (
    <dialog ref={dialog} className="task-sheet" aria-labelledby="sheet-title" onClose={onClose}>
      <form onSubmit={save} noValidate>
        <h2 id="sheet-title">{task ? 'Task' : 'New task'}</h2>
        <label>
          What is to be done?
          <input
            value={fields.title}
            maxLength={160}
            required
            autoComplete="off"
            aria-invalid={trouble !== ''}
            aria-describedby="sheet-trouble"
            onChange={(event) => set({ title: event.target.value })}
          />
        </label>
        <div className="pair">
          <label>
            House
            <select
              value={fields.propertyId}
              disabled={task !== null}
              onChange={(event) => set({ propertyId: event.target.value, assignee: null })}
            >
              {hotel.properties.map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name}
                </option>
              ))}
            </select>
          </label>
          <label>
            Room
            <input value={fields.room} maxLength={16} autoComplete="off" onChange={(event) => set({ room: event.target.value })} />
          </label>
        </div>
        <label>
          Notes
          <textarea rows={3} value={fields.notes} maxLength={1000} onChange={(event) => set({ notes: event.target.value })} />
        </label>
        <div className="pair">
          <label>
            Who
            <select value={fields.assignee ?? ''} onChange={(event) => set({ assignee: event.target.value || null })}>
              <option value="">Nobody yet</option>
              {staff.map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name}
                </option>
              ))}
            </select>
          </label>
          <label>
            Priority
            <select value={fields.priority} onChange={(event) => set({ priority: event.target.value as Priority })}>
              <option value="low">Low</option>
              <option value="normal">Normal</option>
              <option value="urgent">Urgent</option>
            </select>
          </label>
        </div>
        <p id="sheet-trouble" className="trouble" role="alert">
          {trouble}
        </p>
        <div className="actions">
          {task && (
            <button
              type="button"
              className="danger"
              onClick={() => {
                onDelete(task);
                leave();
              }}
            >
              Delete
            </button>
          )}
          <button type="button" className="quiet" onClick={leave}>
            Cancel
          </button>
          <button type="submit" className="primary">
            {task ? 'Save' : 'Add task'}
          </button>
        </div>
      </form>
    </dialog>
  );
}
