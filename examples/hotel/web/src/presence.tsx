// How the page hears of changes: at a glance, and in full when opened.
import type { Snapshot } from 'bellhop-client';
import { useRealtime } from 'bellhop-client/react';
import { otherHost } from './door';
import { ago, useNow } from './time';

const words: Record<Snapshot['status'], string> = {
  idle: 'Not started',
  connecting: 'Connecting',
  live: 'Live',
  degraded: 'Reconnecting',
  offline: 'Offline',
  paused: 'Paused',
  unauthorized: 'Signed out',
  disabled: 'Switched off',
  closed: 'Closed',
};

const tone = (status: Snapshot['status']): string =>
  status === 'live' ? 'good' : status === 'connecting' || status === 'degraded' || status === 'idle' ? 'fair' : 'bad';

const roles: Record<Snapshot['role'], { short: string; long: string }> = {
  leader: { short: 'leader tab', long: 'This tab leads: it alone talks to the server, and tells your other tabs.' },
  follower: { short: 'follower tab', long: 'This tab follows: another of your tabs talks to the server and passes everything on.' },
  none: { short: '', long: 'This tab has no part in it yet.' },
};

const transports = { poll: 'long polls', stream: 'one stream' } as const;

export function Presence() {
  const live = useRealtime();
  const now = useNow();
  const role = roles[live.role];
  const twin = otherHost();
  return (
    <details className={`presence ${tone(live.status)}`}>
      <summary data-status={live.status} data-role={live.role}>
        <span className="dot" aria-hidden="true" />
        <span>{words[live.status]}</span>
        {role.short && <span className="role">{role.short}</span>}
      </summary>
      <div className="sheet">
        <p>{role.long}</p>
        <dl>
          <dt>Hears the server by</dt>
          <dd>{live.transport ? transports[live.transport] : live.role === 'follower' ? 'the leading tab' : '—'}</dd>
          <dt>Last change</dt>
          <dd>{live.lastEventAt ? ago(live.lastEventAt, now) : 'none yet'}</dd>
          <dt>Position in the log</dt>
          <dd className="code">{live.cursor ?? '—'}</dd>
          {live.error && (
            <>
              <dt>Trouble</dt>
              <dd>{live.error.message}</dd>
            </>
          )}
        </dl>
        {live.status === 'degraded' && (
          <button type="button" className="quiet" onClick={() => live.poke()}>
            Try now
          </button>
        )}
        <p className="hint">
          Open this page in <a href={location.href} target="_blank" rel="noreferrer">another tab</a>: one leads, the other follows.
          {twin && (
            <>
              {' '}
              Or <a href={twin} target="_blank" rel="noreferrer">be somebody else</a> there.
            </>
          )}
        </p>
      </div>
    </details>
  );
}
