// The tabs' channel: a BroadcastChannel, with an envelope around each message.
import { type Heard, type Message, readMessage } from './message.js';
import type { RealtimeEnv } from './types.js';

export interface Bus {
  post(message: Message): void;
  close(): void;
  /** The highest that was heard or said: a new leader's is one more. */
  term: number;
}

/** `null` where the browser has none, or refuses it (an opaque origin): the tab is alone. */
export function openBus(
  env: RealtimeEnv,
  name: string,
  k: string,
  tabId: string,
  onMessage: (message: Heard) => void,
): Bus | null {
  let channel: ReturnType<NonNullable<RealtimeEnv['channel']>>;
  try {
    if (!env.channel) return null;
    channel = env.channel(name);
  } catch {
    return null;
  }
  let open = true;
  const bus: Bus = {
    term: 0,
    post(message) {
      if (open) channel.postMessage({ ...message, v: 1, k, tab: tabId, term: bus.term });
    },
    close() {
      open = false;
      channel.onmessage = null;
      channel.close();
    },
  };
  channel.onmessage = ({ data }) => {
    const message = open ? readMessage(data, k) : null;
    if (!message) return;
    bus.term = Math.max(bus.term, message.term);
    onMessage(message);
  };
  return bus;
}

/** FNV-1a, 53 bits of it: to tell sessions apart, not to keep a secret. */
export function hash(text: string): string {
  let high = 0x811c9dc5;
  let low = 0x1b873593;
  for (let i = 0; i < text.length; i++) {
    high = Math.imul(high ^ text.charCodeAt(i), 0x01000193);
    low = Math.imul(low ^ text.charCodeAt(i), 0x85ebca6b) ^ (high >>> 13);
  }
  return (high >>> 0).toString(36) + (low >>> 0).toString(36);
}
