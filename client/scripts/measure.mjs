// What of dist/ a page gets: bundled, minified and packed.
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { minify } from 'terser';

// Loaded when it is wanted, so not counted with the rest.
const onDemand = {
  name: 'on demand',
  setup(b) {
    b.onResolve({ filter: /./ }, (args) =>
      args.kind === 'dynamic-import' ? { path: args.path, external: true } : undefined,
    );
  },
};

/** CODE, an import from dist/, as one file of ES2022. */
export async function bundle(code, { minify: small = false } = {}) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(new URL('../dist', import.meta.url)), loader: 'js' },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    external: ['react', 'react-dom', 'react/jsx-runtime', '@tanstack/react-query'],
    plugins: [onDemand],
    minify: small,
    logLevel: 'error',
  });
  return outputFiles[0].text;
}

/** Bytes after each of the two minifiers that most pages go through. */
export async function sizes(code) {
  const terser = await minify(await bundle(code), { module: true, ecma: 2022, compress: { passes: 3 } });
  const esbuild = await bundle(code, { minify: true });
  return {
    minified: Buffer.byteLength(terser.code),
    gzip: gzipSync(terser.code, { level: 9 }).length,
    brotli: brotliCompressSync(terser.code).length,
    esbuildGzip: gzipSync(esbuild, { level: 9 }).length,
  };
}
