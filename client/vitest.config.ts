import { defineConfig } from 'vitest/config';

// React's tests ask for a DOM themselves: `// @vitest-environment happy-dom` on their first line.
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/**/*.test.{ts,tsx}'],
    typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], tsconfig: './tsconfig.test.json' },
    testTimeout: 20_000,
  },
});
