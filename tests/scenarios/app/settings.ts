// settings.ts: what a test chooses, from the page's address.
const query = new URLSearchParams(location.search);

export const settings = {
  user: query.get('user') ?? 'nobody',
  org: query.get('org') ?? 'no-org',
  // Where the realtime service is; another origin where a test measures preflights.
  realtime: query.get('realtime') ?? location.origin,
  transport: (query.get('transport') ?? 'poll') as 'poll' | 'stream' | 'auto',
  // A pause after a full idle poll, as the playbook wants it: "2000-5000".
  idle: query.get('idle')?.split('-').map(Number) as [number, number] | undefined,
  // Without Web Locks the fallbacks are measured.
  locks: query.get('locks') !== 'none',
};
