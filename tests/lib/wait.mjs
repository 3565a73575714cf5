// wait.mjs: waits that end with a condition, and never without a bound.

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Until CONDITION (plain or async) yields something true, which is returned.
// After MS milliseconds it fails, saying what was waited for.
export async function waitFor(what, condition, { ms = 30_000, every = 10 } = {}) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) {
      throw new Error(`still not after ${ms} ms: ${typeof what === 'function' ? what() : what}`);
    }
    await sleep(every);
  }
}

// Run TASK over ITEMS, at most WIDTH at a time; results in the items' order.
export async function pool(items, width, task) {
  const results = new Array(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await task(items[i], i);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  return results;
}

export const range = (n) => Array.from({ length: n }, (_, i) => i);
