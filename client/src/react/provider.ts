import { createElement, type ReactElement, type ReactNode, useEffect } from 'react';
import type { RealtimeClient, RealtimeEvent } from '../types.js';
import { type AnyClient, keepRunning, RealtimeContext } from './context.js';

export interface RealtimeProviderProps<E extends RealtimeEvent> {
  client: RealtimeClient<E>;
  children?: ReactNode;
}

/** Runs the client for as long as it is mounted. Make the client once, outside of components. */
export function RealtimeProvider<E extends RealtimeEvent>({
  client,
  children,
}: RealtimeProviderProps<E>): ReactElement {
  const any = client as unknown as AnyClient;
  // Effects of children run first: who listens does so before anything can come.
  useEffect(() => keepRunning(any), [any]);
  return createElement(RealtimeContext.Provider, { value: any }, children);
}
