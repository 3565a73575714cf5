// @vitest-environment happy-dom
// The real client under React's StrictMode.
import { act, cleanup, render } from '@testing-library/react';
import { createElement, StrictMode } from 'react';
import { afterEach, expect, it, vi } from 'vitest';
import { createRealtimeClient } from '../../src/index.js';
import { RealtimeProvider, useRealtime } from '../../src/react/index.js';
import { FakeBrowser } from '../auth/browser.js';

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const Status = () => createElement('p', null, useRealtime().status);

it('C36: C14: StrictMode and a remount leave one loop, one lock and one poll', async () => {
  vi.useFakeTimers();
  const browser = new FakeBrowser();
  const tab = browser.tab({ refresh: () => Promise.reject(new Error('not asked')) });
  const open: AbortSignal[] = [];
  let sent = 0;
  const client = createRealtimeClient({
    domain: 'tasks',
    url: 'http://h',
    transport: 'poll',
    initialCursor: 'abc-1',
    sessionKey: () => 'o/u',
    getToken: () => 'token',
    env: tab.env(),
    fetch: async (_, init) => {
      sent++;
      if (sent > 1) {
        const signal = init?.signal as AbortSignal;
        open.push(signal);
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      }
      return new Response(JSON.stringify({ events: [], cursor: 'abc-1', gap: null }));
    },
  });
  const page = (key: string) =>
    createElement(
      StrictMode,
      null,
      createElement(RealtimeProvider, { client, key }, createElement(Status), createElement(Status)),
    );
  const { container, rerender, unmount } = render(page('first'));
  await act(() => vi.advanceTimersByTimeAsync(1_000));
  expect(container.textContent).toBe('livelive');
  rerender(page('second')); // unmounted and mounted in one go
  await act(() => vi.advanceTimersByTimeAsync(1_000));
  expect(sent).toBe(2);
  expect(open.map((signal) => signal.aborted)).toEqual([false]);
  expect(browser.locks.queues.get('tasks-realtime-leader:o/u')).toHaveLength(1);

  unmount();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(open.map((signal) => signal.aborted)).toEqual([true]);
  expect(browser.locks.queues.get('tasks-realtime-leader:o/u')).toHaveLength(0);
  await client.close();
  browser.close();
});
