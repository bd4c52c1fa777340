import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { SlowestFirst } from './test/slowest-first.ts';

const source = (path: string): string => fileURLToPath(new URL(`packages/${path}`, import.meta.url));

/** These run only with FANFARE_LONG=1: they take minutes, and shorter tests find most of what they find. */
const long = [
  'bench/test/continuity.test.ts',
  'packages/server/test/faults/shared-{failovers,kills,nodes,partitions}.test.ts',
];

/**
 * These share the process of their worker, which saves each of them a second for loading the server. The others
 * have one of their own: fake clocks, changed prototypes, and measurements of the heap need it.
 */
const sharing = [
  'packages/{cli,client}/test/*.test.ts',
  'packages/server/test/!(body|cardinality|http|stalled-answers).test.ts',
  'packages/server/test/access/!(jwt-verifier|live-identities).test.ts',
  'packages/server/test/limits/!(limits-over-sockets|rate-limits).test.ts',
  'packages/server/test/{console,message-path,nodes,redis}/*.test.ts',
];

/** These measure elapsed time, so that nothing else may run. */
const alone = ['packages/server/test/console/{load,overview}.test.ts'];

const include = ['packages/*/test/**/*.test.ts', 'bench/test/**/*.test.ts', 'test/**/*.test.ts'];
const exclude = [...configDefaults.exclude, ...(process.env['FANFARE_LONG'] === '1' ? [] : long)];

export default defineConfig({
  resolve: {
    // Tests in the same process run the sources; tests that start a program run what was built.
    alias: [
      { find: /^@fanfare\/protocol$/, replacement: source('protocol/src/index.ts') },
      { find: /^@fanfare\/protocol\/api$/, replacement: source('protocol/src/api/index.ts') },
      { find: /^@fanfare\/engine$/, replacement: source('engine/src/index.ts') },
      { find: /^@fanfare\/fanout$/, replacement: source('fanout/src/index.ts') },
      { find: /^@fanfare\/fanout\/outbox$/, replacement: source('fanout/src/outbox/index.ts') },
      { find: /^@fanfare\/client$/, replacement: source('client/src/index.ts') },
      { find: /^@fanfare\/server$/, replacement: source('server/src/index.ts') },
      { find: /^@fanfare\/server\/settings$/, replacement: source('server/src/config/settings.ts') },
    ],
  },
  test: {
    // Real processes and browsers take their time on a busy machine; a test waits for events, not for this.
    testTimeout: 120_000,
    // A third of the time and more, each worker waits: two workers would leave two cores idle for as long.
    maxWorkers: 4,
    sequence: { sequencer: SlowestFirst },
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      { extends: true, test: { name: 'own process', include, exclude: [...exclude, ...sharing] } },
      {
        extends: true,
        test: { name: 'shared process', include: sharing, exclude: [...exclude, ...alone], isolate: false },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, exclude, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
