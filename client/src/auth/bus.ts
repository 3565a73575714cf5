// What tabs tell each other, on the two channels. A message of another version, or without a type, is dropped.
import type { Channel } from '../types.js';
import { fields } from './store.js';
import type { AuthEnv, Session } from './types.js';

const VERSION = 1;

export type Message =
  /** on auth-control */
  | { type: 'logout'; sid: string | null; reason?: string | undefined }
  | { type: 'login' | 'expired'; sid: string }
  /** on auth-refresh */
  | { type: 'started'; sid: string }
  /** `kept`: storage knows of it */
  | { type: 'token'; sid: string; rev: string; session: Session; kept: boolean }
  | { type: 'failed'; sid: string; attempt: number; nextInMs: number }
  | { type: 'ask'; sid: string; rev: string };

const CHANNELS = ['auth-control', 'auth-refresh'] as const;
const onControl = new Set<unknown>(['logout', 'login', 'expired']);

export class Bus {
  readonly #from: string;
  #channels: (Channel | null)[];

  constructor(env: AuthEnv, heard: (message: Record<string, unknown>) => void) {
    this.#from = env.id();
    this.#channels = CHANNELS.map((name) => {
      try {
        const channel = env.channel?.(name) ?? null;
        if (channel) {
          channel.onmessage = ({ data }) => {
            const message = fields(data);
            if (message.v === VERSION && onControl.has(message.type) === (name === CHANNELS[0]))
              heard(message);
          };
        }
        return channel;
      } catch {
        return null; // an opaque origin: storage, if there is any, carries logouts
      }
    });
  }

  post(message: Message): void {
    this.#channels[onControl.has(message.type) ? 0 : 1]?.postMessage({
      v: VERSION,
      from: this.#from,
      ...message,
    });
  }

  close(): void {
    for (const channel of this.#channels) channel?.close();
    this.#channels = [];
  }
}
