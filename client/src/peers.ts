// What the leader knows of the other tabs: which property they show, and whether they are looked at.

export interface Peers {
  hear(tabId: string, filter: string | null, visible: boolean): void;
  gone(tabId: string): void;
  anyVisible(): boolean;
  /** One filter for all of them and `own`; `null`, no filter, where they differ. */
  filter(own: string | null): string | null;
}

/** A tab says hello every 20 s, a hidden one once a minute: silent for longer, it has gone without a word. */
const forgetAfter = 180_000;

export function createPeers(now: () => number): Peers {
  const peers = new Map<string, { filter: string | null; visible: boolean; at: number }>();

  function alive() {
    for (const [tabId, { at }] of peers) if (now() - at > forgetAfter) peers.delete(tabId);
    return [...peers.values()];
  }

  return {
    hear: (tabId, filter, visible) => void peers.set(tabId, { filter, visible, at: now() }),
    gone: (tabId) => void peers.delete(tabId),
    anyVisible: () => alive().some((peer) => peer.visible),
    filter: (own) => (alive().every((peer) => peer.filter === own) ? own : null),
  };
}
