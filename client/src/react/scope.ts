// One client serves components that look at different properties: its scope is what they all need.
import type { RealtimeClient, RealtimeEvent } from '../types.js';

interface Wishes {
  all: Map<symbol, string | undefined>;
  /** What the client was told last; at first the scope that it was made with stands. */
  told: string | undefined;
}

const wishes = new WeakMap<object, Wishes>();

/** Until the function that it returns is called, this property (or all of them) is among those asked for. */
export function wantProperty<E extends RealtimeEvent>(
  client: RealtimeClient<E>,
  propertyId: string | undefined,
): () => void {
  const own = wishes.get(client) ?? { all: new Map(), told: undefined };
  wishes.set(client, own);
  const mine = Symbol();
  own.all.set(mine, propertyId);
  tell(client, own);
  return () => {
    own.all.delete(mine);
    tell(client, own);
  };
}

/** One property for all of them, or no filter. When nobody is left the scope stays: the next one may want the same. */
function tell<E extends RealtimeEvent>(client: RealtimeClient<E>, own: Wishes): void {
  const wanted = new Set(own.all.values());
  const [first] = wanted;
  const next = wanted.size === 1 ? first : undefined;
  if (wanted.size === 0 || next === own.told) return;
  own.told = next;
  client.setScope(next === undefined ? {} : { propertyId: next });
}
