import { describe, expect, it } from 'vitest';
import { endOf } from '../../../../test/end.ts';
import { readText, repositoryPaths } from '../../../../test/repository.ts';

/** The sources of the end on stock Socket.IO, and the libraries below it. */
const insides =
  /from '(?:[^']*src\/(?:socketio\/|compose-socketio|try-insides|insides\/(?:engine|ws|split))[^']*|socket\.io-parser|engine\.io[^']*)'/;

/** Whether a test file reaches into the end on stock Socket.IO without saying so. */
function reachesUnmarked(source: string): boolean {
  return insides.test(source) && !/^(?: {2})*onlyOver\('socket\.io'\);$/m.test(source);
}

describe('tests of one client end alone', () => {
  it('every test that reaches into the end on stock Socket.IO is marked with `onlyOver`', () => {
    const tests = repositoryPaths('packages/server/test/').filter((path) => path.endsWith('.test.ts'));
    expect(tests.length).toBeGreaterThan(100);
    expect(tests.filter((path) => reachesUnmarked(readText(path)))).toEqual([]);
  });

  it('helpers of tests reach into the end on stock Socket.IO only where the end is a port', () => {
    const helpers = repositoryPaths('packages/server/test/').filter(
      (path) => path.endsWith('.ts') && !path.endsWith('.test.ts'),
    );
    expect(helpers.filter((path) => insides.test(readText(path)))).toEqual([
      'packages/server/test/differential/app-on-socket-io.ts',
      'packages/server/test/ends/socket-io.ts',
    ]);
  });

  it.each([
    ['../../src/socketio/frame-count.ts', true],
    ['../src/try-insides.ts', true],
    ['../src/insides/ws-inside.ts', true],
    ['engine.io', true],
    ['../src/insides/node-inside.ts', false],
    ['socket.io', false],
  ])('the check finds a test that imports from %s: %s', (path, isFound) => {
    const source = `import { something } from '${path}';\n`;
    expect(reachesUnmarked(source)).toBe(isFound);
    expect(reachesUnmarked(`${source}\nonlyOver('socket.io');\n`)).toBe(false);
  });

  it('a wrong FANFARE_TEST_END is refused with the names of all ends', () => {
    expect(endOf('socket.io')).toBe('socket.io');
    expect(() => endOf('toString')).toThrow(
      'FANFARE_TEST_END must be one of these ends: socket.io, engine. It is "toString".',
    );
  });
});
