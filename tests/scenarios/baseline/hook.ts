// hook.ts: the baseline's client: what the playbook's second phase describes, its defects
// included, written afresh from its description. It exists to be measured against.
//
//   - the Web Lock is let go in the moment in which it is got, so every tab leads;
//   - a tab that leads takes no broadcasts, so each depends on its own poll;
//   - the lease without Web Locks does not say whose it is;
//   - the loop keeps the handler and the role of the render in which it began;
//   - only a tab that polls is ever connected, and only once a poll has ended;
//   - after an error it waits 2 to 4 s, however often it has failed, online or not;
//   - 401 and 403 end the loop, and nobody is told;
//   - a logout aborts, and what was just waiting for the lock goes on.
import { useEffect, useRef, useState } from 'react';

interface DrainEvent {
  eventId: string;
  eventType: string;
  payload: never;
}

interface Options {
  base: string;
  token: string | null;
  propertyId?: string;
  enabled?: boolean;
  onEvents?: (events: DrainEvent[]) => void;
}

const leaseMs = 10_000;
const leaseKey = 'tasks-leader-lease';
const fastMs = 1500;
const between = (low: number, high: number) => low + Math.floor(Math.random() * (high - low + 1));

async function lead(): Promise<boolean> {
  if ('locks' in navigator) return navigator.locks.request('tasks-realtime-leader', { ifAvailable: true }, async (lock) => lock !== null);
  const lease = localStorage.getItem(leaseKey);
  if (lease && Date.now() - JSON.parse(lease).timestamp < leaseMs) return false;
  localStorage.setItem(leaseKey, JSON.stringify({ timestamp: Date.now() }));
  return true;
}

export function useDrain({ base, token, propertyId, enabled = true, onEvents }: Options) {
  const [leading, setLeading] = useState(false);
  const [connected, setConnected] = useState(false);
  const channel = useRef<BroadcastChannel | null>(null);
  const loop = useRef<{ abort?: AbortController; timer?: number }>({});

  const halt = () => {
    loop.current.abort?.abort();
    clearTimeout(loop.current.timer);
  };

  useEffect(() => {
    const mine = new BroadcastChannel('tasks-events');
    mine.onmessage = ({ data }) => {
      if (data.type === 'events' && !leading) onEvents?.(data.events);
    };
    channel.current = mine;
    return () => {
      mine.close();
      channel.current = null;
    };
  }, [leading, onEvents]);

  useEffect(() => {
    if (!leading) return;
    let renewed = Date.now();
    const timer = setInterval(() => {
      if (Date.now() - renewed >= leaseMs) return;
      renewed = Date.now();
      localStorage.setItem(leaseKey, JSON.stringify({ timestamp: renewed }));
    }, leaseMs / 2);
    return () => clearInterval(timer);
  }, [leading]);

  useEffect(() => {
    if (!enabled || !token) {
      setConnected(false);
      return;
    }
    const later = (ms: number) => {
      clearTimeout(loop.current.timer);
      loop.current.timer = window.setTimeout(round, ms);
    };
    const round = async () => {
      if (!(await lead())) {
        setLeading(false);
        later(between(3000, 5000));
        return;
      }
      if (!leading) setLeading(true);
      loop.current.abort?.abort();
      const abort = (loop.current.abort = new AbortController());
      const began = Date.now();
      try {
        const events = await poll(abort.signal);
        if (!events) return;
        const quick = events.length === 0 && Date.now() - began < fastMs;
        later(quick ? between(2000, 5000) : document.visibilityState === 'hidden' ? between(3000, 5000) : 0);
      } catch (error) {
        if ((error as Error).name === 'AbortError') return;
        setConnected(false);
        later(Math.min(2000 * 2 ** Math.random(), 60_000));
      }
    };
    const poll = async (signal: AbortSignal) => {
      const url = new URL('/tasks/realtime/subscribe', base);
      if (propertyId) url.searchParams.set('propertyId', propertyId);
      const answer = await fetch(url, { headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }, signal });
      if (answer.status === 401 || answer.status === 403) {
        setConnected(false);
        return null;
      }
      if (!answer.ok) throw new Error(`subscribe: ${answer.status}`);
      const events: DrainEvent[] = (await answer.json()).events ?? [];
      setConnected(true);
      if (events.length > 0) {
        channel.current?.postMessage({ type: 'events', events });
        onEvents?.(events);
      }
      return events;
    };
    void round();
    return halt;
    // The role and the handler are not among these, as in the description.
  }, [enabled, token, propertyId]);

  useEffect(() => {
    const stop = () => {
      halt();
      setConnected(false);
      setLeading(false);
    };
    const control = new BroadcastChannel('auth-control');
    control.onmessage = ({ data }) => data.type === 'logout' && stop();
    const stored = ({ key }: StorageEvent) => key === 'auth-logout' && stop();
    addEventListener('storage', stored);
    return () => {
      control.close();
      removeEventListener('storage', stored);
    };
  }, []);

  return { leading, connected };
}
