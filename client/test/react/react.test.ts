// @vitest-environment happy-dom
import { readFileSync } from 'node:fs';
import { act, cleanup, render, renderHook } from '@testing-library/react';
import { createElement, type ReactNode, StrictMode, Suspense, startTransition, useState } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  RealtimeProvider,
  useDomainRealtime,
  useRealtime,
  useRealtimeClient,
  useRealtimeEvents,
} from '../../src/react/index.js';
import { useLiveStaleTime } from '../../src/react-query/index.js';
import { event, FakeClient } from '../react-query/client.js';

let client: FakeClient;
beforeEach(() => {
  vi.useFakeTimers();
  client = new FakeClient();
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const within = (strict = false) => ({
  wrapper: ({ children }: { children: ReactNode }) => {
    const provided = createElement(RealtimeProvider, { client }, children);
    return strict ? createElement(StrictMode, null, provided) : provided;
  },
});
const turns = () => vi.advanceTimersByTime(10);

const never = new Promise<void>(() => {});
let setNumber: (n: number) => void = () => {};

function useNumber(): number {
  const [n, set] = useState(1);
  setNumber = set;
  return n;
}

const Part = () => createElement('i', null, useRealtime().status);

function Parts() {
  const keys = Array.from({ length: useNumber() }, (_, i) => i);
  return createElement(
    'p',
    null,
    keys.map((key) => createElement(Part, { key })),
  );
}

function Suspending({ got }: { got: number[] }) {
  const n = useNumber();
  useRealtimeEvents(() => got.push(n));
  if (n === 2) throw never; // as use() does, which React 18 hasn't got
  return null;
}

describe('RealtimeProvider', () => {
  it('runs with a client of the app’s own tests, of what docs/testing.md names and no more', () => {
    const words = /client of your own: (.*?);/s.exec(readFileSync('docs/testing.md', 'utf8'))?.[1] ?? '';
    const names = [...words.matchAll(/`(\w+)`/g)].map(([, name]) => name as keyof FakeClient);
    const parts = names.map((name) => [name, (client[name] as () => unknown).bind(client)]);
    const own = Object.fromEntries(parts) as FakeClient;
    const all = () => [
      useRealtime().poke(),
      useRealtimeEvents(() => {}),
      useDomainRealtime({ propertyId: 'p' }),
    ];
    const wrapper = ({ children }: { children: ReactNode }) =>
      createElement(RealtimeProvider, { client: own }, children);
    renderHook(all, { wrapper }).unmount();
    turns();
    expect(new Set(client.calls)).toEqual(new Set(['poke', 'start', 'stop']));
    expect(client.scopes).toContainEqual({ propertyId: 'p' });
  });

  it('C36: runs one loop for all its components, and stops it after the last', () => {
    const one = renderHook(() => useDomainRealtime(), within());
    const two = renderHook(() => useDomainRealtime(), within());
    one.unmount();
    turns();
    expect(client.calls).not.toContain('stop');
    two.unmount();
    expect(client.calls).not.toContain('stop');
    turns();
    expect(client.calls.filter((call) => call === 'stop')).toHaveLength(1);
  });

  it('C14: StrictMode’s second mount neither stops it nor listens twice', () => {
    const got: unknown[] = [];
    const { unmount } = renderHook(() => useRealtimeEvents((events) => got.push(...events)), within(true));
    turns();
    expect(client.calls).not.toContain('stop');
    act(() => client.events(event('A', {})));
    expect(got).toHaveLength(1);
    unmount();
    turns();
    expect(client.calls.at(-1)).toBe('stop');
    expect(client.listeners()).toBe(0);
  });

  it('starts the client after its components listen', () => {
    client.start = () => {
      client.calls.push(`start with ${client.listeners()} listeners`);
    };
    renderHook(() => useRealtimeEvents(() => {}), within());
    expect(client.calls).toEqual(['start with 1 listeners']);
  });

  it('says what is missing where there is none', () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(() => renderHook(() => useRealtime())).toThrow('<RealtimeProvider');
    vi.restoreAllMocks();
  });

  it('P18: renders on a server, and starts nothing there', () => {
    const html = renderToString(createElement(RealtimeProvider, { client }, createElement(Part)));
    expect(html).toBe('<i>live</i>');
    expect(client.calls).toEqual([]);
  });
});

describe('useRealtime', () => {
  it('follows the client, and is the same until something changes', () => {
    const { result, rerender } = renderHook(() => useRealtime(), within());
    const first = result.current;
    rerender();
    expect(result.current).toBe(first);
    act(() => client.change({ status: 'degraded', isConnected: false }));
    expect(result.current).toMatchObject({ status: 'degraded', isConnected: false });
    result.current.poke();
    expect(client.calls).toContain('poke');
  });

  it('shows one state in all parts of a page during a transition', () => {
    const { container } = render(createElement(RealtimeProvider, { client }, createElement(Parts)));
    act(() => {
      startTransition(() => setNumber(50));
      client.change({ status: 'offline' });
    });
    expect(container.textContent).toBe('offline'.repeat(50));
  });
});

describe('useRealtimeEvents', () => {
  it('C13: calls the newest callback and filter, without listening anew', () => {
    const on = vi.spyOn(client, 'on');
    const got: string[] = [];
    const { rerender } = renderHook(
      ({ n }: { n: number }) =>
        useRealtimeEvents(
          (events) => got.push(`${n}:${events.length}`),
          (e) => e.eventType === `T${n}`,
        ),
      { ...within(), initialProps: { n: 1 } },
    );
    act(() => client.events(event('T1', {}), event('T2', {})));
    for (let n = 2; n <= 5; n++) rerender({ n });
    act(() => client.events(event('T5', {}), event('T5', {}), event('T1', {})));
    act(() => client.events(event('T1', {})));
    expect(got).toEqual(['1:1', '5:2']);
    expect(on).toHaveBeenCalledTimes(1);
  });

  it('C15: never calls the callback of a render that was thrown away', async () => {
    const got: number[] = [];
    render(
      createElement(
        RealtimeProvider,
        { client },
        createElement(Suspense, { fallback: null }, createElement(Suspending, { got })),
      ),
    );
    await act(async () => startTransition(() => setNumber(2)));
    act(() => client.events(event('A', {})));
    expect(got).toEqual([1]);
  });

  it('C20: an exception of one component reaches neither another nor the client', () => {
    const got: unknown[] = [];
    renderHook(() => {
      useRealtimeEvents(() => {
        throw new Error('mine');
      });
      useRealtimeEvents((events) => got.push(...events));
    }, within());
    act(() => client.events(event('A', {})));
    expect(got).toHaveLength(1);
    expect(client.errors).toHaveLength(1);
  });
});

describe('useDomainRealtime', () => {
  it('has the shape of the hooks before it', () => {
    const { result } = renderHook(() => useDomainRealtime(), within());
    expect(result.current).toEqual({ isLeader: true, isConnected: true, lastEventTime: null });
    act(() => client.events(event('A', {})));
    expect(result.current.lastEventTime).toBe(Date.now());
  });

  it('C17: C19: a follower is as connected as its leader, and knows when events came', () => {
    client.snapshot = { ...client.snapshot, role: 'follower', isLeader: false };
    const { result } = renderHook(() => useDomainRealtime(), within());
    act(() => client.events(event('A', {})));
    expect(result.current).toEqual({ isLeader: false, isConnected: true, lastEventTime: Date.now() });
  });

  it('P19: is on where nothing is said, and silent with enabled: false', () => {
    const got: unknown[] = [];
    const { result, rerender } = renderHook(
      (o: { enabled?: boolean }) => useDomainRealtime({ ...o, onEvents: (events) => got.push(...events) }),
      { ...within(), initialProps: {} },
    );
    act(() => client.events(event('A', {})));
    expect(got).toHaveLength(1);
    rerender({ enabled: false });
    act(() => client.events(event('A', {})));
    expect(got).toHaveLength(1);
    expect(result.current).toMatchObject({ isLeader: false, isConnected: false });
  });

  it('gives each component the events of its property and those of the org', () => {
    const got: Record<string, string[]> = { a: [], b: [], all: [] };
    renderHook(() => {
      useDomainRealtime({ propertyId: 'a', onEvents: (e) => got.a?.push(...e.map((x) => x.eventType)) });
      useDomainRealtime({ propertyId: 'b', onEvents: (e) => got.b?.push(...e.map((x) => x.eventType)) });
      useDomainRealtime({ onEvents: (e) => got.all?.push(...e.map((x) => x.eventType)) });
    }, within());
    act(() =>
      client.events(
        event('A', {}, { propertyId: 'a' }),
        event('B', {}, { propertyId: 'b' }),
        event('Org', {}),
      ),
    );
    expect(got).toEqual({ a: ['A', 'Org'], b: ['B', 'Org'], all: ['A', 'B', 'Org'] });
  });

  it('asks the client for what its components need together', () => {
    const one = renderHook(({ p }: { p: string }) => useDomainRealtime({ propertyId: p }), {
      ...within(true),
      initialProps: { p: 'a' },
    });
    expect(client.scopes).toEqual([{ propertyId: 'a' }]);
    const two = renderHook(() => useDomainRealtime({ propertyId: 'b' }), within());
    expect(client.scopes.at(-1)).toEqual({});
    one.unmount();
    expect(client.scopes.at(-1)).toEqual({ propertyId: 'b' });
    renderHook(() => useDomainRealtime(), within()); // shows the state only
    expect(client.scopes).toHaveLength(3);
    two.unmount();
    expect(client.scopes).toHaveLength(3);
  });

  it('leaves the client’s own scope alone where no property is named', () => {
    renderHook(() => useDomainRealtime({ onEvents: () => {} }), within());
    expect(client.scopes).toEqual([]);
  });
});

describe('the rest', () => {
  it('P11: useLiveStaleTime follows the connection', () => {
    let renders = 0;
    const { result } = renderHook(() => {
      renders++;
      return [useLiveStaleTime(), useLiveStaleTime(60_000, 5_000)];
    }, within());
    expect(result.current).toEqual([25_000, 60_000]);
    act(() => client.change({ attempt: 3 }));
    expect(renders).toBe(1);
    act(() => client.change({ isConnected: false }));
    expect(result.current).toEqual([10_000, 5_000]);
  });

  it('useRealtimeClient gives the client', () => {
    expect(renderHook(() => useRealtimeClient(), within()).result.current).toBe(client);
  });
});
