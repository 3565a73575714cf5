// The tabs' channel: a BroadcastChannel, with an envelope around each message.
import { type Heard, type Message, readMessage } from './message.js';
import type { Channel, RealtimeEnv } from './types.js';

export interface Bus {
  post(message: Message): void;
  close(): void;
}

/** `null` where the browser has none, or refuses it (an opaque origin): the tab is alone. */
export function openBus(
  env: RealtimeEnv,
  name: string,
  k: string,
  tab: string,
  onMessage: (message: Heard) => void,
): Bus | null {
  let channel: Channel | null;
  try {
    channel = env.channel?.(name) ?? null;
  } catch {
    return null;
  }
  if (!channel) return null;
  const open = channel;
  open.onmessage = ({ data }) => {
    const message = readMessage(data, k);
    if (message) onMessage(message);
  };
  return {
    post: (message) => open.postMessage({ ...message, v: 1, k, tab }),
    close: () => open.close(),
  };
}
