// What the backend says, as JSON.
import type { RealtimeEvent } from 'bellhop-client';

export type Status = 'open' | 'doing' | 'done';
export type Priority = 'low' | 'normal' | 'urgent';

export interface Task {
  taskId: string;
  propertyId: string;
  title: string;
  room: string;
  notes: string;
  status: Status;
  priority: Priority;
  assignee: string | null;
  createdBy: string;
  createdAt: number;
  updatedBy: string;
  updatedAt: number;
  version: number;
}

export interface Property {
  id: string;
  name: string;
  city: string;
}

// `properties`: the only ones this person works at; null: all.
export interface Person {
  id: string;
  name: string;
  role: string;
  properties: string[] | null;
}

export interface Hotel {
  org: string;
  me: { id: string; name: string; role: string };
  properties: Property[];
  staff: Person[];
}

// One who can be picked at the door.
export interface Candidate {
  id: string;
  name: string;
  role: string;
  org: string;
  properties: string[];
}

export interface Counts {
  open: number;
  doing: number;
  done: number;
  urgent: number;
}
export interface Summary extends Counts {
  properties: (Counts & { propertyId: string })[];
}

export interface Filter {
  property: string; // '' for all of them
  assignee: string; // '' for everybody
}

export type TaskEvent = RealtimeEvent<'TaskCreated' | 'TaskUpdated' | 'TaskDeleted', Task>;
