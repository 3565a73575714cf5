export { useRealtimeClient } from './context.js';
export {
  type DomainRealtime,
  type DomainRealtimeOptions,
  useDomainRealtime,
  useRealtime,
  useRealtimeEvents,
} from './hooks.js';
export { RealtimeProvider, type RealtimeProviderProps } from './provider.js';
