// Make dist/: JavaScript by esbuild, one file per entry and what they share in
// chunks, and declarations by tsc.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const absWorkingDir = fileURLToPath(new URL('..', import.meta.url));
process.chdir(absWorkingDir);
rmSync('dist', { recursive: true, force: true });
await build({
  absWorkingDir,
  entryPoints: [
    'src/index.ts',
    'src/react/index.ts',
    'src/react-query/index.ts',
    'src/auth/index.ts',
    'src/auth/core.ts',
  ],
  outdir: 'dist',
  outbase: 'src',
  bundle: true,
  splitting: true,
  chunkNames: 'shared/[name]-[hash]',
  packages: 'external',
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  sourcemap: true,
  logLevel: 'warning',
});
const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { stdio: 'inherit' });
process.exit(tsc.status ?? 1);
