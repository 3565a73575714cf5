export { bindQueryClient } from './bind.js';
export { useLiveStaleTime } from './stale.js';
export type { AggregateBinding, BindOptions, EntityBinding } from './types.js';
