/**
 * The test files that take longest, the longest first. One that starts last would leave all other workers
 * without work. Vitest knows durations only from earlier runs, and a fresh clone has none.
 */
export const slowest: readonly string[] = [
  'packages/server/test/hostile/starvation.test.ts',
  'packages/server/test/hostile/fuzz.test.ts',
  'packages/cli/test/doctor.test.ts',
  'test/deploy-page.test.ts',
  'test/container.test.ts',
  'test/release.test.ts',
  'test/proxies.test.ts',
  'packages/server/test/faults/rolling-restart.test.ts',
  'packages/server/test/faults/backup.test.ts',
  'packages/server/test/api/openapi.test.ts',
  'packages/server/test/stream-ends.test.ts',
  'test/examples.test.ts',
  'packages/server/test/faults/one-owner.test.ts',
  'packages/server/test/hostile/patterns.test.ts',
  'packages/server/test/access/agreement.test.ts',
  'packages/server/test/hostile/payload-bombs.test.ts',
  'packages/server/test/hostile/fuzz-proof.test.ts',
  'bench/test/continuity.test.ts',
  'packages/server/test/faults/damaged-file.test.ts',
  'packages/cli/test/bench.test.ts',
  'packages/cli/test/serve.test.ts',
  'packages/cli/test/log.test.ts',
  'packages/cli/test/sub-pub.test.ts',
  'packages/server/test/console/topics.test.ts',
  'packages/server/test/console/accessibility.test.ts',
  'packages/server/test/console/safety.test.ts',
  'packages/server/test/faults/catching-up.test.ts',
  'packages/server/test/log/migration.test.ts',
  'bench/test/adapters.test.ts',
  'bench/test/cluster.test.ts',
  'bench/test/smoke.test.ts',
  'packages/server/test/log/formats.test.ts',
  'packages/server/test/log/data-directory.test.ts',
  'packages/server/test/faults/clock.test.ts',
  'test/compatibility/fresh-installation.test.ts',
  'test/compatibility/nodes.test.ts',
  'packages/server/test/hostile/never-reads.test.ts',
  'packages/server/test/unused-topics.test.ts',
  'packages/server/test/console/snippets.test.ts',
  'packages/server/test/console/try-it.test.ts',
  'packages/server/test/faults/kill.test.ts',
  'packages/server/test/redis/redis-groups.test.ts',
  'packages/server/test/log/lmdb-store.test.ts',
  'packages/server/test/insides/fallbacks.test.ts',
];

/** Sorts test files by their place in the list. The others keep their order, after those in it. */
export function slowestFirst<File>(files: readonly File[], pathOf: (file: File) => string): File[] {
  const rank = (file: File): number =>
    slowest.includes(pathOf(file)) ? slowest.indexOf(pathOf(file)) : Infinity;
  return files.toSorted((one, other) => {
    const [first, second] = [rank(one), rank(other)];
    return first === second ? 0 : first - second;
  });
}
