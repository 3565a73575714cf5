// pages.mjs: the pages under test, bundled as they would be for production; `strict` is
// ours as React builds it for development, where StrictMode mounts everything twice.
import { build } from 'esbuild';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const pages = {
  ours: { entry: 'app/page.tsx', mode: 'production' },
  strict: { entry: 'app/page.tsx', mode: 'development' },
  baseline: { entry: 'baseline/page.tsx', mode: 'production' },
};

// One React for all: the client's package brings its own for its tests.
const one = ['react', 'react-dom', '@tanstack/react-query'];
const alias = Object.fromEntries(one.map((name) => [name, path.join(here, 'node_modules', name)]));

// Bundle NAME into a folder of DIR, which is returned.
export async function buildPage(name, dir) {
  const { entry, mode } = pages[name];
  const out = path.join(dir, name);
  await build({
    entryPoints: { page: path.join(here, entry) },
    outdir: out,
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    jsxDev: mode === 'development',
    minify: mode === 'production',
    define: { 'process.env.NODE_ENV': JSON.stringify(mode) },
    alias,
    logLevel: 'warning',
    logOverride: { 'ignored-bare-import': 'silent' }, // chunks of the client's that have no side effects
  });
  fs.copyFileSync(path.join(here, 'app/index.html'), path.join(out, 'index.html'));
  return out;
}
