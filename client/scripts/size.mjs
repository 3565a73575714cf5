// The size budget. `core` is what a page with createRealtimeClient loads to begin; the parts below it are loaded
// when they are wanted: the stream's, where a stream is tried, the others where something went wrong.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sizes } from './measure.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const budgets = [
  ['core', "export { createRealtimeClient } from './index.js'", 8192],
  ['all of .', "export * from './index.js'", 9216],
  ['./react', "export * from './react/index.js'", 1024],
  ['./react-query', "export * from './react-query/index.js'", 2816],
  ['./auth', "export * from './auth/index.js'", 6912],
];

let over = 0;
const row = (...cells) =>
  console.log(
    cells.map((cell, i) => (i === 0 ? String(cell).padEnd(24) : String(cell).padStart(11))).join(''),
  );
row('', 'minified', 'gzip', 'budget', 'brotli', 'esbuild.gz');
for (const [name, code, budget] of budgets) {
  const { minified, gzip, brotli, esbuildGzip } = await sizes(code);
  row(name, minified, gzip, budget, brotli, esbuildGzip);
  if (gzip > budget) {
    over++;
    console.error(`${name}: ${gzip} bytes gzipped are more than its budget of ${budget}`);
  }
}
const core = await sizes(budgets[0][1]);
for (const file of readdirSync('dist/shared').filter((f) =>
  /^(streamer|missing|recovery|lease-election)-.*\.js$/.test(f),
)) {
  const both = await sizes(`${budgets[0][1]}; export * from './shared/${file}'`);
  row(`and ${file.replace(/-[A-Z0-9]+\.js$/, '')}`, both.minified - core.minified, both.gzip - core.gzip);
}
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
if (dependencies && Object.keys(dependencies).length) {
  over++;
  console.error('package.json: the package has runtime dependencies, and is to have none');
}
process.exit(over ? 1 : 0);
