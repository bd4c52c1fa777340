import { expect, it } from 'vitest';

/**
 * Runs tests that mostly wait at the same time, and reports each of them.
 *
 * @param what - the title of the test in which all of them run
 */
export function sideBySide(what: string, tests: Readonly<Record<string, () => Promise<void>>>): void {
  const results = new Map<string, PromiseSettledResult<void>>();
  it(what, async () => {
    const settled = await Promise.allSettled(Object.values(tests).map(async (test) => test()));
    expect(settled).toHaveLength(Object.keys(tests).length);
    Object.keys(tests).forEach((title, at) => void results.set(title, settled[at] as never));
  });
  for (const title of Object.keys(tests)) {
    it(title, () => {
      const result = results.get(title);
      expect(result, `this runs with the test '${what}'`).toBeDefined();
      if (result?.status === 'rejected') throw result.reason;
    });
  }
}
