export { backoff } from './backoff.js';
export { createRealtimeClient } from './client.js';
export { RealtimeError, type RealtimeErrorCode, type RealtimeErrorDetails } from './error.js';
export { type RemoteFlag, type RemoteFlagOptions, remoteFlag } from './flag.js';
export { type BeaconOptions, beaconSink } from './telemetry.js';
export type * from './types.js';
