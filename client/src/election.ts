// Who leads: what the two ways of deciding it have in common.
import type { RoleChange } from './types.js';

export interface Election {
  /** Asks to lead as soon as nobody else does. Without a time limit: waiting is no failure. */
  join(): void;
  /** Gives up leading, or asking. Resolves when nothing of it is left. */
  leave(): Promise<void>;
  /** Leads now: the leader has yielded, or no longer answers. */
  take(how: RoleChange): void;
  /** Gives way to a tab that asked for it. It takes the lead itself. */
  cede(): void;
  /** The leader gave way, or went: whoever waits may look. */
  nudge(): void;
  /** The leader still lives. To be called often while leading. */
  renew(): void;
}

export interface ElectionHooks {
  onLead(how: RoleChange): void;
  /** Somebody else leads, by this tab's leave (`handover`) or not; it waits for its turn again. */
  onLost(how: 'lost' | 'handover'): void;
}
