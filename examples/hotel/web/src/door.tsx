// The door: pick who you are.
import { useEffect, useState } from 'react';
import { Avatar } from './avatar';
import { candidates, signIn } from './session';
import type { Candidate } from './types';

const byOrg = (people: Candidate[]): [string, Candidate[]][] => {
  const orgs = new Map<string, Candidate[]>();
  for (const person of people) orgs.set(person.org, [...(orgs.get(person.org) ?? []), person]);
  return [...orgs];
};

// For a browser these two names are different sites: so one browser can be two people.
export const otherHost = (): string | null => {
  const twin = { localhost: '127.0.0.1', '127.0.0.1': 'localhost' }[location.hostname];
  return twin ? `${location.protocol}//${twin}:${location.port}/` : null;
};

// Not in the query cache: that is emptied whenever somebody leaves.
function useCandidates(complain: (text: string) => void): Candidate[] | null {
  const [people, setPeople] = useState<Candidate[] | null>(null);
  useEffect(() => {
    let wanted = true;
    candidates().then(
      (all) => wanted && setPeople(all),
      (error: Error) => wanted && complain(`The backend doesn’t answer: ${error.message}`),
    );
    return () => {
      wanted = false;
    };
  }, [complain]);
  return people;
}

export function Door() {
  const [trouble, setTrouble] = useState('');
  const [busy, setBusy] = useState('');
  const people = useCandidates(setTrouble);
  const enter = (id: string): void => {
    setBusy(id);
    signIn(id).catch((error: Error) => {
      setTrouble(error.message);
      setBusy('');
    });
  };
  const twin = otherHost();
  return (
    <main className="door">
      <header>
        <p className="wordmark">Harbour <em>Hotels</em></p>
        <h1>Good to see you. Who’s on shift?</h1>
        <p className="lead">
          This is a demo: pick a name, there are no passwords. Open a second window as somebody else, and watch each other work.
        </p>
      </header>
      {!people && !trouble && <p role="status">One moment…</p>}
      {trouble && <p role="alert" className="trouble">{trouble}</p>}
      {byOrg(people ?? []).map(([org, staff]) => (
        <section key={org} aria-label={org}>
          <h2>{org}</h2>
          <ul className="people">
            {staff.map((person) => (
              <li key={person.id}>
                <button type="button" onClick={() => enter(person.id)} disabled={busy !== ''} aria-busy={busy === person.id}>
                  <Avatar id={person.id} name={person.name} size="l" />
                  <span className="who">
                    <strong>{person.name}</strong>
                    <span>{person.role}</span>
                    <span className="where">{person.properties.join(' · ')}</span>
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {twin && (
        <p className="hint">
          In this browser you stay one person, in all its tabs. <a href={twin} target="_blank" rel="noreferrer">{new URL(twin).host}</a> is
          the same board under another name: there you can be somebody else at the same time.
        </p>
      )}
    </main>
  );
}
