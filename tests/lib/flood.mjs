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
function startFlood(stack, width, pause) {
  const shared = new SharedArrayBuffer(12);
  const counts = new Int32Array(shared);
  const token = stack.token({ sub: 'flooder', org: 'flooded', scope: 'realtime:publish' });
  const data = { url: `${stack.url}/tasks/realtime/publish`, token, org: 'flooded', width, pause, shared };
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

// ROUNDS times N singles alone and N beside a flood, by turns, so that whatever
// else the machine does strikes both. Of each quantile the median of the rounds'
// is told, and of the rounds' ratios: a disturbance that takes less than half of
// the time shows in neither. WARM: batches before it counts.
export async function compare(stack, { rounds = 5, n = 100, width = 6, pause = 0, warm = 10 } = {}) {
  const quantiles = { p50: 0.5, p99: 0.99 };
  const alone = [];
  const beside = [];
  let batches = 0;
  let refused = 0;
  await singles(stack, 20);
  for (let i = 0; i < rounds; i++) {
    alone.push(await singles(stack, n));
    const flooding = startFlood(stack, width, pause);
    for (;;) {
      const { batches: b, refused: r } = flooding.counts();
      if (b + r >= warm) break;
      await singles(stack, 1);
    }
    beside.push(await singles(stack, n));
    const counts = await flooding.stop();
    batches += counts.batches;
    refused += counts.refused;
  }
  const result = { alone: {}, beside: {}, ratio: {}, batches, refused };
  for (const [name, q] of Object.entries(quantiles)) {
    const a = alone.map((times) => quantile(times, q));
    const b = beside.map((times) => quantile(times, q));
    Object.assign(result.alone, { [name]: median(a) });
    Object.assign(result.beside, { [name]: median(b) });
    Object.assign(result.ratio, { [name]: median(b.map((x, i) => x / a[i])) });
  }
  return result;
}
