import { describe, expect, it } from 'vitest';
import { readText, repositoryPaths } from './repository.ts';

const columns = 110;

/** Files that our own client end will replace (decision 26). */
const left = /\/insides\//;

/** The line numbers of comments in a source that exceed the line length of the code. */
function longComments(source: string): number[] {
  const lines = source.split('\n').map((line, at) => ({ line, number: at + 1 }));
  return lines
    .filter(({ line }) => line.length > columns && /^\s*(?:\/\/|\/?\*)/.test(line))
    .map(({ number }) => number);
}

describe('the line length of comments', () => {
  it('comments in every source obey the line length of the code', () => {
    const sources = repositoryPaths().filter(
      (path) =>
        /^(?:packages|bench|scripts|test|examples)\/.*\.(?:tsx?|mjs)$/.test(path) &&
        !path.includes('fixtures') &&
        !left.test(path),
    );
    const found = sources.flatMap((path) =>
      longComments(readText(path)).map((number) => `${path}:${number}`),
    );
    expect(sources.length).toBeGreaterThan(500);
    expect(found).toEqual([]);
  });

  it('the check finds comment lines that are too long', () => {
    const word = 'x'.repeat(columns);
    expect(longComments(`const a = '${word}';\n  // ${word}\n/** ${word} */\n * ${word}\n// short`)).toEqual([
      2, 3, 4,
    ]);
  });
});
