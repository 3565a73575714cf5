// Options, with what stands in for those left out.
import type { RealtimeEvent, RealtimeOptions } from './types.js';

const defaults = {
  transport: 'auto',
  credentials: 'same-origin',
  longPollTimeoutMs: 25_000,
  requestGraceMs: 10_000,
  streamProbeMs: 3_000,
  streamSilenceMs: 40_000,
  streamRetryMs: 600_000,
  fastEmptyThresholdMs: 1_500,
  fastEmptyBackoffMs: [2_000, 5_000],
  hiddenBackoffMs: [3_000, 5_000],
  idleBackoffMs: [0, 0],
  followerCheckMs: [3_000, 5_000],
  leaderLeaseMs: 10_000,
  pingTimeoutMs: 1_500,
  stealCooldownMs: 30_000,
  preferVisibleLeader: true,
  offlineGraceMs: 5_000,
  degradedAfterMs: 60_000,
  dedupeSize: 1_000,
  telemetrySampleRate: 0.02,
} as const satisfies Partial<RealtimeOptions>;

type Defaulted = keyof typeof defaults;

/** All but what depends on the app's own events. */
export type Settings = Omit<RealtimeOptions, 'schema'> &
  Required<Pick<RealtimeOptions, Defaulted>> & {
    /** `…/<domain>/realtime/` */
    base: string;
    cache: RequestCache;
  };

export function settle<E extends RealtimeEvent>({ schema: _, ...options }: RealtimeOptions<E>): Settings {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(options.domain)) {
    throw new TypeError(`domain ${options.domain}: use its name in bellhop.conf`);
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const url = String(options.url ?? '/').replace(/\/+$/, '');
  return {
    ...defaults,
    ...given,
    base: `${url}/${options.domain}/realtime/`,
    cache: cacheMode(url),
  } as Settings;
}

/**
 * Answers say themselves that they are not to be stored. To ask for it as well keeps Chromium from letting a tab's
 * request wait for another's of the same URL; but then it also ignores the preflight answers that it has, so that
 * at another origin each request would cost a second one.
 */
function cacheMode(url: string): RequestCache {
  const here = globalThis.location;
  return here && new URL(url, here.href).origin !== here.origin ? 'default' : 'no-store';
}
