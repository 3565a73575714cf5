export { backoff } from './backoff.js';
export { RealtimeError, type RealtimeErrorCode, type RealtimeErrorDetails } from './error.js';
export type * from './types.js';
