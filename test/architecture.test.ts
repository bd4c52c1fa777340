import { describe, expect, it } from 'vitest';
import { readText, repositoryPaths } from './repository.ts';

const paths = repositoryPaths();
const sources = paths
  .filter((path) => /^packages\/[^/]+\/src\/.*\.tsx?$/.test(path))
  .map((path) => readText(path).replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, ''));
const words = new Set(sources.flatMap((source) => source.match(/[\w$]+/g) ?? []));

const isKnownPath = (name: string): boolean =>
  paths.some((path) => path === name || path.endsWith(`/${name}`) || `/${path}`.includes(`/${name}/`));

/** What a document names and the repository does not have: files, folders, symbols, and titles of tests. */
function missing(markdown: string): string[] {
  const files = markdown.match(/(?<![\w./-])[\w-][\w./-]*\.(?:tsx?|mjs|md|json)\b/g) ?? [];
  const quoted = [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);
  const folders = quoted.filter((text) => /^[\w-]+(?:\/[\w-]+)*\/$/.test(text));
  const inTrees = (markdown.match(/^ {4}.*$/gm) ?? []).flatMap(
    (line) => line.match(/\b[A-Za-z]\w*\.[a-z]\w*(?=\()|\b[a-z]\w*(?=\()/g) ?? [],
  );
  const symbols = [...quoted, ...inTrees]
    .filter((text) => /^[A-Za-z_$][\w$]*(?:\.[\w$]+)?(?:\(\))?$/.test(text))
    .filter((text) => !new Set<string>(files).has(text));
  const titles = [...markdown.matchAll(/`([\w./-]+\.test\.ts)` "([^"]+)"/g)];
  return [
    ...files.filter((file) => !isKnownPath(file)),
    ...folders.filter((folder) => !isKnownPath(folder)),
    ...symbols.filter((symbol) => symbol.match(/[\w$]+/g)?.some((word) => !words.has(word))),
    ...titles
      .filter(([, file = '', title = '']) => !textOf(file).includes(title))
      .map(([, , title = '']) => title),
  ];
}

/** The text of all files that a name can stand for. */
function textOf(name: string): string {
  const found = paths.filter((path) => path === name || path.endsWith(`/${name}`));
  return found.map((path) => readText(path)).join('\n');
}

describe('ARCHITECTURE.md', () => {
  const document = readText('ARCHITECTURE.md');

  it('ARCHITECTURE.md has less than 250 lines', () => {
    expect(document.split('\n').length).toBeLessThanOrEqual(250);
  });

  it('ARCHITECTURE.md names only files, folders, symbols and titles of tests that the repository has', () => {
    expect(missing(document)).toEqual([]);
  });

  it('the check of ARCHITECTURE.md detects names that the repository does not have', () => {
    const title = ['no', 'such', 'title'].join(' ');
    const wrong = [
      'See `log/no-such-file.ts`, `no-such-folder/`, `NoSuchClass.method`, `createServer()`.',
      `\`architecture.test.ts\` "${title}"`,
      '',
      '    POST /publish',
      '    └─ noSuchFunction() in `message-path/admit.ts`',
    ].join('\n');
    expect(missing(wrong).toSorted()).toEqual([
      'NoSuchClass.method',
      'log/no-such-file.ts',
      title,
      'no-such-folder/',
      'noSuchFunction',
    ]);
  });
});
