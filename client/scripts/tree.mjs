// What isn't used isn't loaded, and importing does nothing: no DOM, no timer, no channel.
import { spawnSync } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle } from './measure.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const wrong = [];

async function expect(what, code, { atMost, without = [] }) {
  const text = await bundle(code, { minify: true });
  if (text.length > atMost) wrong.push(`${what}: ${text.length} bytes, at most ${atMost} are right`);
  for (const word of without) if (text.includes(word)) wrong.push(`${what} holds ${word}`);
  console.log(`${what}: ${text.length} bytes`);
}

const loop = ['Last-Event-ID', 'leader-lease'];
await expect('a bare import', "import './index.js'", { atMost: 0 });
await expect('backoff alone', "import { backoff } from './index.js'; console.log(backoff(1))", {
  atMost: 300,
  without: loop,
});
await expect(
  'remoteFlag alone',
  "import { remoteFlag } from './index.js'; console.log(remoteFlag({ key: 'k' }))",
  { atMost: 1000, without: loop },
);
await expect('beaconSink alone', "import { beaconSink } from './index.js'; console.log(beaconSink('/t'))", {
  atMost: 1200,
  without: loop,
});
await expect(
  'the client without extras',
  "import { createRealtimeClient } from './index.js'; console.log(createRealtimeClient)",
  {
    atMost: 22_000,
    without: ['sendBeacon', 'getReader'],
  },
);
for (const entry of ['react', 'react-query', 'auth']) {
  await expect(`a bare import of ./${entry}`, `import './${entry}/index.js'`, { atMost: 100 });
}

// Imported in a place that has nothing of a browser and shouts when it is touched, each entry ends by itself.
const shouting = `
  for (const name of ['window', 'document', 'localStorage', 'sessionStorage']) {
    Object.defineProperty(globalThis, name, { configurable: true, get() { throw new Error('importing touches ' + name); } });
  }
  await import(process.argv[1]);
`;
for (const entry of ['index.js', 'react/index.js', 'react-query/index.js', 'auth/index.js']) {
  const args = ['--input-type=module', '-e', shouting, pathToFileURL(`dist/${entry}`).href];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 });
  console.log(`importing ${entry} without a browser: ${status === 0 ? 'nothing happens' : 'fails'}`);
  if (status !== 0) wrong.push(`${entry}: ${stderr || 'it does not end'}`);
}

for (const line of wrong) console.error(line);
process.exit(wrong.length ? 1 : 0);
