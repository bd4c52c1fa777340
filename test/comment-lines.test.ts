import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const columns = 110;

/** Files that the client end of our own will replace (decision 26). */
const left =
  /\/insides\/|\/socketio\/(?:answer-p|check-requests|frame-count|handshake-turns|login-|packet-turns|polling-turns|release-|request-|session-counts|silent-upgrades|tcp-arrivals|web-socket)/;

function filesIn(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (/node_modules|dist|fixtures/.test(entry.name)) return [];
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

/** The numbers of the lines of a source that are comments and longer than code may be. */
function longComments(source: string): number[] {
  const lines = source.split('\n').map((line, at) => ({ line, number: at + 1 }));
  return lines
    .filter(({ line }) => line.length > columns && /^\s*(?:\/\/|\/?\*)/.test(line))
    .map(({ number }) => number);
}

describe('comments', () => {
  it('obey the line length of the code in every source', () => {
    const sources = ['packages', 'bench', 'scripts', 'test', 'examples']
      .flatMap(filesIn)
      .filter((path) => /\.(?:tsx?|mjs)$/.test(path) && !left.test(path));
    const found = sources.flatMap((path) =>
      longComments(readFileSync(`${root}${path}`, 'utf8')).map((number) => `${path}:${number}`),
    );
    expect(sources.length).toBeGreaterThan(500);
    expect(found).toEqual([]);
  });

  it('would be found if they were longer', () => {
    const word = 'x'.repeat(columns);
    expect(longComments(`const a = '${word}';\n  // ${word}\n/** ${word} */\n * ${word}\n// short`)).toEqual([
      2, 3, 4,
    ]);
  });
});
