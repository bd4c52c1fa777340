import { beforeEach } from 'vitest';
import { testEnd, type EndName } from '../../../../test/end.ts';

/**
 * Marks all tests of a file, or of a `describe`, as tests of one client end alone: they reach into it, or
 * test code that other ends do not have. Over another end they are skipped. Call it before all other hooks.
 */
export function onlyOver(end: EndName): void {
  beforeEach(({ skip }) => skip(testEnd !== end, `only over the end ${end}`));
}
