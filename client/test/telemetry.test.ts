// What a client tells of itself, and of whom.
import { expect, test } from 'vitest';
import type { TelemetryEvent } from '../src/index.js';
import { open } from './fake/browser.js';
import { Server } from './fake/server.js';

test('of one client everything is told, or nothing: one draw', async () => {
  let chosen = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const told: TelemetryEvent[] = [];
    const { world, tabs } = await open((w) => new Server(w), {
      seed,
      tabs: 1,
      options: { telemetry: { send: (e) => void told.push(e) }, telemetrySampleRate: 0.2 },
    });
    tabs[0]?.browser.server.restore('other', 0);
    tabs[0]?.page.connect(false);
    tabs[0]?.page.connect(true);
    await world.advance(1_000);
    expect([0, 3], `seed ${seed}`).toContain(told.length);
    if (told.length) chosen++;
    if (told.length) expect(new Set(told.map((e) => e.sessionId)).size).toBe(1);
  }
  expect(chosen).toBeGreaterThan(50);
  expect(chosen).toBeLessThan(110);
});

test('the rate is 2 % where none is given, and false is nothing at all', async () => {
  const { settle } = await import('../src/settings.js');
  const options = { domain: 'tasks', sessionKey: () => null, getToken: () => null };
  expect(settle(options).telemetrySampleRate).toBe(0.02);
  expect(
    settle({ ...options, telemetrySampleRate: undefined as unknown as number }).telemetrySampleRate,
  ).toBe(0.02);
  const { world, tabs } = await open((w) => new Server(w), {
    tabs: 1,
    options: { telemetry: false, telemetrySampleRate: 1 },
  });
  await world.advance(1_000);
  expect(tabs[0]?.told).toEqual([]);
});

test('acquired, takeover, steal and subscribe_error mean what they say', async () => {
  const told: string[] = [];
  const options = {
    telemetrySampleRate: 1,
    telemetry: { send: (e: TelemetryEvent) => void told.push(`${e.tabId} ${e.eventType}`) },
  };
  const { world, browser, server } = await open((w) => new Server(w), { tabs: 3, options });
  const leader = browser.leader();
  await world.advance(60_000);
  expect(told.filter((t) => !t.includes('gap'))).toEqual([`${leader.id} leader_acquired`]);
  leader.crash();
  await world.until('another', () => browser.leaders().length === 1);
  const second = browser.leader();
  await world.advance(1_000);
  second.freeze();
  await world.until('robbed', () => browser.leaders().length === 2, 20_000);
  const third = browser.leaders().find((tab) => tab !== second);
  server.intercept = () => 'network';
  server.publish(1);
  await world.advance(500);
  expect(told.filter((t) => !t.includes('gap')).slice(1)).toEqual([
    `${second.id} leader_takeover`,
    `${third?.id} steal`,
    `${third?.id} leader_takeover`,
    `${third?.id} subscribe_error`,
  ]);
});

test('a sink that throws costs nothing', async () => {
  const { world, tabs, server } = await open((w) => new Server(w), {
    tabs: 1,
    options: {
      telemetrySampleRate: 1,
      telemetry: {
        send() {
          throw new Error('full');
        },
      },
    },
  });
  server.publish(1);
  await world.until('it', () => tabs[0]?.events.length === 1);
  expect(tabs[0]?.errors).toEqual([]);
});
