// flood.mjs: one org publishes as much as it can while another publishes single
// events, and what the other feels of it. The flood runs in a thread of its own
// with the lowest priority: what it takes of the processors to make its requests is
// no doing of the server's, and would be measured with it.
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { agent, request } from './http.mjs';
import { event } from './stack.mjs';
import { range, sleep } from './wait.mjs';

// WIDTH connections, each with a full batch at a time. Told to wait it comes
// back after PAUSE milliseconds, whatever Retry-After says.
async function flood({ url, token, org, width, pause, shared }) {
  os.setPriority(os.constants.priority.PRIORITY_LOW); // of this thread
  const [stop, batches, refused] = range(3).map((i) => new Int32Array(shared, 4 * i, 1));
  const connections = agent();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' };
  const template = range(500).map((i) => JSON.stringify(event(org, { eventId: `@@-${i}` }))).join('\n');
  let made = 0;
  await Promise.all(range(width).map(async () => {
    while (Atomics.load(stop, 0) === 0) {
      const body = template.replaceAll('@@', `${process.pid}-${Date.now()}-${made++}`);
      const res = await request(url, { method: 'POST', headers, body, agent: connections });
      Atomics.add(res.status === 200 ? batches : refused, 0, 1);
      if (res.status === 429 && pause > 0) await sleep(pause);
    }
  }));
  connections.destroy();
}

if (!isMainThread && workerData?.flood) await flood(workerData.flood);

// Start one; the function that is returned ends it and says what came through.
function startFlood(stack, path, width, pause) {
  const shared = new SharedArrayBuffer(12);
  const counts = new Int32Array(shared);
  const token = stack.token({ sub: 'flooder', org: 'flooded', scope: 'realtime:publish' });
  const data = { url: stack.url + path, token, org: 'flooded', width, pause, shared };
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { flood: data } });
  const ended = new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
  return {
    counts: () => ({ batches: Atomics.load(counts, 1), refused: Atomics.load(counts, 2) }),
    async stop() {
      Atomics.store(counts, 0, 1);
      await ended;
      return this.counts();
    },
  };
}

// Milliseconds of N publishes, one after the other.
async function singles(stack, n) {
  const times = [];
  for (let i = 0; i < n; i++) {
    const begun = performance.now();
    await stack.store(event('calm'));
    times.push(performance.now() - begun);
  }
  return times;
}

const sorted = (values) => [...values].sort((a, b) => a - b);
const quantile = (times, q) => sorted(times)[Math.min(times.length - 1, Math.floor(times.length * q))];
export const median = (values) => quantile(values, 0.5);

const publish = '/tasks/realtime/publish';
const nobody = '/nobody/serves/this'; // the same bytes, for the web server to carry

// N singles beside a flood of PATH; WARM: what it has sent before that counts.
async function beside(stack, path, { n, width, pause, warm }) {
  const flooding = startFlood(stack, path, width, pause);
  for (;;) {
    const { batches, refused } = flooding.counts();
    if (batches + refused >= warm) break;
    await singles(stack, 1);
  }
  const times = await singles(stack, n);
  return { times, ...(await flooding.stop()) };
}

// ROUNDS times N singles alone and N beside a flood, by turns, so that whatever
// else the machine does strikes both. ELSEWHERE: not alone, but beside the same
// flood of a path that nobody serves, which costs processors and web server as much
// and is no doing of Bellhop's. Of each quantile the median of the rounds'
// is told, and of the rounds' ratios: a disturbance that takes less than half of
// the time shows in neither.
export async function compare(stack, { rounds = 5, n = 100, width = 6, pause = 0, warm = 10, elsewhere = false } = {}) {
  const quantiles = { p50: 0.5, p99: 0.99 };
  const load = { n, width, pause, warm };
  const windows = [];
  await singles(stack, 20);
  for (let i = 0; i < rounds; i++) {
    const calm = elsewhere ? (await beside(stack, nobody, load)).times : await singles(stack, n);
    windows.push({ calm, ...(await beside(stack, publish, load)) });
  }
  const sum = (name) => windows.reduce((total, window) => total + window[name], 0);
  const result = { alone: {}, beside: {}, ratio: {}, batches: sum('batches'), refused: sum('refused') };
  for (const [name, q] of Object.entries(quantiles)) {
    const pairs = windows.map(({ calm, times }) => [quantile(calm, q), quantile(times, q)]);
    result.alone[name] = median(pairs.map(([a]) => a));
    result.beside[name] = median(pairs.map(([, b]) => b));
    result.ratio[name] = median(pairs.map(([a, b]) => b / a));
  }
  return result;
}
