// In your own project only `server.proxy` is needed; the rest is here because the
// page lives in Bellhop's own tree.
import { fileURLToPath } from 'node:url';
import { defineConfig, loadEnv } from 'vite';

const client = (file: string): string => fileURLToPath(new URL(`../../../client/src/${file}`, import.meta.url));

export default defineConfig(({ mode }) => {
  // Where deploy/quickstart listens; HOTEL_TARGET in the environment or in .env.local says otherwise.
  const target = loadEnv(mode, process.cwd(), 'HOTEL_').HOTEL_TARGET ?? 'http://127.0.0.1:8080';
  // The narrow proxy: these paths and no more. All of /tasks would take the page's own address away from it.
  const proxy = Object.fromEntries(['/tasks/realtime', '/telemetry/client', '/hotel/'].map((path) => [path, { target }]));
  return {
    // The client as it stands in client/src, without a build; from npm, leave this out.
    resolve: {
      alias: [
        { find: /^bellhop-client$/, replacement: client('index.ts') },
        { find: /^bellhop-client\/(.*)$/, replacement: client('$1/index.ts') },
      ],
      dedupe: ['react', 'react-dom', '@tanstack/react-query'],
    },
    esbuild: { jsx: 'automatic' },
    build: {
      target: 'es2022',
      rollupOptions: {
        // TanStack marks its modules for servers that render; here is none.
        onwarn: (warning, warn) => void (warning.code === 'MODULE_LEVEL_DIRECTIVE' || warn(warning)),
      },
    },
    server: { port: 5173, strictPort: true, proxy, fs: { allow: ['.', '../../../client/src'] } },
  };
});
