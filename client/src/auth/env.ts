// The page around the session, as a browser has it. Nothing is touched before a session is created.
import { browserEnv as coreEnv } from '../env.js';
import type { Page } from '../types.js';
import type { AuthEnv } from './types.js';

export function browserEnv(): AuthEnv {
  const env = coreEnv();
  const window = env.page && (globalThis as unknown as Window);
  return {
    ...env,
    // Node has channels too, and an open one keeps its process.
    channel: window && env.channel,
    page: env.page && waitingToBeShown(env.page),
    origin: globalThis.location?.origin,
    resolve: (url) => new Request(url).url,
    fetch: (input, init) => fetch(input, init),
    onStorage(listener) {
      const heard = (event: StorageEvent) => listener(event.key, event.newValue);
      window?.addEventListener('storage', heard);
      return () => window?.removeEventListener('storage', heard);
    },
  };
}

/**
 * A page that is prerendered gets no lock, and what it says is not sent: what it tries must fail, and other tabs would
 * hear of it. When it is shown it is visible first, and told so, and `prerendering` ends after that.
 */
function waitingToBeShown(page: Page): Page {
  const online = () =>
    page.online() && (page.visible() || !(document as { prerendering?: boolean }).prerendering);
  return { ...page, online };
}
