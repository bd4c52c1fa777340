import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { slowestFirst } from './slowest-files.ts';

/** Lets vitest start the slowest test files first. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const pathOf = ({ moduleId }: TestSpecification): string =>
      relative(this.ctx.config.root, moduleId).replaceAll('\\', '/');
    // oxlint-disable-next-line unicorn/no-array-sort -- it is not an array that is sorted
    const sorted = await super.sort(files);
    // A worker keeps its process for the next file only if that one shares it too: these come last, in a row.
    const shares = ({ project }: TestSpecification): number => (project.config.isolate ? 0 : 1);
    return slowestFirst(
      sorted.toSorted((one, other) => shares(one) - shares(other)),
      pathOf,
    );
  }
}
