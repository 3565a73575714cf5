// A switch that someone else turns: the app's operator, or whoever tries something out.
import type { Flag, KeyStore } from './types.js';

export interface RemoteFlagOptions {
  /** `<domain>-realtime-v2-enabled`: its name in the answer, and in localStorage. */
  key: string;
  /** Answers with `{"<key>": true}`. Without it only localStorage counts. */
  url?: string;
  /** Until it is known otherwise: true. */
  default?: boolean;
  /** 60,000, ± 20 % */
  pollMs?: number;
  fetch?: typeof fetch;
  storage?: KeyStore | null;
}

export interface RemoteFlag extends Flag {
  subscribe(onChange: () => void): () => void;
}

/**
 * The server's `false` turns it off whatever else is said: that is what a kill switch is for. Else `'true'` or
 * `'false'` in localStorage decides, else the server's `true`, else the default. It is asked for as long as
 * somebody has subscribed.
 */
export function remoteFlag(options: RemoteFlagOptions): RemoteFlag {
  const { key, url, pollMs = 60_000 } = options;
  const listeners = new Set<() => void>();
  let remote: boolean | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;

  function local(): string | null {
    try {
      return (options.storage === undefined ? localStorage : options.storage)?.getItem(key) ?? null;
    } catch {
      return null;
    }
  }

  function value(): boolean {
    const own = local();
    if (remote === false || own === 'false') return false;
    return own === 'true' || (remote ?? options.default ?? true);
  }

  async function ask(from: string): Promise<void> {
    const before = value();
    try {
      const response = await (options.fetch ?? fetch)(from, { cache: 'no-store' });
      const flags = response.ok ? ((await response.json()) as Record<string, unknown> | null) : null;
      if (typeof flags?.[key] === 'boolean') remote = flags[key];
    } catch {
      // Unknown is not off: what was known stays.
    }
    if (value() !== before) for (const listener of [...listeners]) listener();
  }

  function turn(): void {
    if (!url || asking) return;
    asking = true;
    void ask(url).finally(() => {
      asking = false;
      if (listeners.size) timer = setTimeout(turn, pollMs * (0.8 + 0.4 * Math.random()));
    });
  }

  return Object.assign(value, {
    subscribe(onChange: () => void) {
      const own = () => onChange();
      listeners.add(own);
      if (listeners.size === 1) turn();
      return () => {
        listeners.delete(own);
        if (!listeners.size) clearTimeout(timer);
      };
    },
  });
}
