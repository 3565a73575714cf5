// probe.ts: what a test wants to know of a page, written down where a person would see
// it: in the document. It is loaded before anything else, the same for both pages, and
// changes nothing: fetch is called as it would have been.
//
// Times are Date.now(), the clock that the tests' own process reads too.

interface Probe {
  shown: { n: number; at: number }[]; // numbered events, in the order in which they were shown
  rows: Record<string, number>; // id of a row → when it first was in the list
  attempts: { at: number; clientId: string | null }[]; // polls that were begun
  aborts: number[]; // when polls were aborted
  banners: { at: number; on: boolean; text: string }[];
  clicks: { at: number; id: string }[];
  longTasks: number[]; // their lengths
  errors: string[];
  notes: string[]; // what the page's client said of itself, for a test that fails
  clientId: string | null;
}

declare global {
  interface Window {
    probe: Probe;
  }
}

const probe: Probe = { shown: [], rows: {}, attempts: [], aborts: [], banners: [], clicks: [], longTasks: [], errors: [], notes: [], clientId: null };
window.probe = probe;

const plainFetch = window.fetch.bind(window);
window.fetch = (input, init) => {
  const url = input instanceof Request ? input.url : String(input);
  if (/\/realtime\/(subscribe|stream)/.test(url)) notePoll(init);
  return plainFetch(input, init);
};

function notePoll(init?: RequestInit) {
  const clientId = new Headers(init?.headers).get('x-client-id');
  if (clientId) probe.clientId = clientId;
  probe.attempts.push({ at: Date.now(), clientId });
  init?.signal?.addEventListener('abort', () => probe.aborts.push(Date.now()), { once: true });
}

const elements = (node: Node, selector: string) =>
  node instanceof Element ? [...(node.matches(selector) ? [node] : []), ...node.querySelectorAll(selector)] : [];

new MutationObserver((changes) => {
  const at = Date.now();
  for (const change of changes) {
    for (const node of change.addedNodes) {
      for (const each of elements(node, '#ticker [data-n]')) probe.shown.push({ n: Number((each as HTMLElement).dataset.n), at });
      for (const each of elements(node, '#list [data-row]')) probe.rows[(each as HTMLElement).dataset.row!] ??= at;
      for (const each of elements(node, '[role=alert]')) probe.banners.push({ at, on: true, text: each.textContent ?? '' });
    }
    for (const node of change.removedNodes) {
      for (const each of elements(node, '[role=alert]')) probe.banners.push({ at, on: false, text: each.textContent ?? '' });
    }
  }
}).observe(document, { childList: true, subtree: true });

addEventListener('click', ({ target }) => probe.clicks.push({ at: Date.now(), id: (target as Element).id }), { capture: true });
addEventListener('error', ({ message }) => probe.errors.push(message));
addEventListener('unhandledrejection', ({ reason }) => probe.errors.push(String(reason)));
// Firefox has no long tasks to observe.
if (PerformanceObserver.supportedEntryTypes.includes('longtask')) {
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => probe.longTasks.push(duration))).observe({ type: 'longtask', buffered: true });
}

export {};
