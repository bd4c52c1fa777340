import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(`packages/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: {
      '@fanfare/protocol': source('protocol/src/index.ts'),
      '@fanfare/server': source('server/src/index.ts'),
    },
  },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // Real processes and browsers take their time on a busy machine; a test waits for events, not for this.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
