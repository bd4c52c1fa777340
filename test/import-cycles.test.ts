import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../packages/cli/test/harness.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Cycles that may stay for now, each with its reason. A cycle is written as its files in alphabetical order,
 * by their paths from the repository's root.
 */
const allowed: readonly { readonly files: readonly string[]; readonly reason: string }[] = [];

/** The specifiers of all imports and re-exports, type-only ones and `import()` included. */
const specifier = /\b(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

const comments = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;

function sourcesOf(directory: string): readonly string[] {
  return readdirSync(join(directory, 'packages')).flatMap((name) => {
    const source = join(directory, 'packages', name, 'src');
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' });
    return files.filter((file) => /\.tsx?$/.test(file)).map((file) => join(source, file));
  });
}

function importsOf(file: string): readonly string[] {
  const source = readFileSync(file, 'utf8').replaceAll(comments, '');
  return [...source.matchAll(specifier)].map(([, path = '']) => join(dirname(file), path));
}

/**
 * Groups of files that import one another, directly or by way of others (strongly connected components,
 * Tarjan).
 */
function findCycles(directory: string): readonly (readonly string[])[] {
  const graph = new Map(sourcesOf(directory).map((file) => [file, importsOf(file)] as const));
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.size - 1);
    stack.push(file);
    const imports = (graph.get(file) ?? []).filter((imported) => graph.has(imported));
    for (const imported of imports) {
      if (!index.has(imported)) visit(imported);
      if (stack.includes(imported))
        low.set(file, Math.min(low.get(file) ?? 0, low.get(imported) ?? 0, index.get(imported) ?? 0));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1 || imports.includes(file)) cycles.push(group);
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return cycles.map((group) => group.map((file) => relative(directory, file)).toSorted());
}

/** Writes files into a directory of their own. @returns the directory */
function repositoryOf(files: Readonly<Record<string, string>>): string {
  const directory = temporaryDirectory();
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), source);
  }
  return directory;
}

describe('import cycles', () => {
  it('no package has import cycles in its source, not even of types', () => {
    const known = new Set(allowed.map(({ files }) => files.join(' ')));
    expect(findCycles(root).filter((files) => !known.has(files.join(' ')))).toEqual([]);
  });

  it('the list of allowed import cycles has only cycles that exist', () => {
    const found = new Set(findCycles(root).map((files) => files.join(' ')));
    expect(allowed.filter(({ files }) => !found.has(files.join(' ')))).toEqual([]);
  });

  it('the check finds a cycle of type-only imports over three files of two folders, and names the files', () => {
    const directory = repositoryOf({
      'packages/a/src/one.ts': "import type { Two } from './deep/two.ts';\nexport type One = Two;\n",
      'packages/a/src/deep/two.ts': "export type { Three } from '../three.ts';\n",
      'packages/a/src/three.ts': "export type Three = import('./one.ts').One;\n",
      'packages/a/src/apart.ts': "import type { One } from './one.ts';\nexport type Apart = One;\n",
    });
    expect(findCycles(directory)).toEqual([
      ['packages/a/src/deep/two.ts', 'packages/a/src/one.ts', 'packages/a/src/three.ts'],
    ]);
  });

  it('the check finds a file that imports itself', () => {
    const directory = repositoryOf({ 'packages/a/src/one.ts': "export * from './one.ts';\n" });
    expect(findCycles(directory)).toEqual([['packages/a/src/one.ts']]);
  });

  it('the check ignores imports in comments, and files that import the same file', () => {
    const directory = repositoryOf({
      'packages/a/src/one.ts': "import { three } from './three.ts';\nexport const one = three;\n",
      'packages/a/src/two.ts': "import { three } from './three.ts';\nexport const two = three;\n",
      'packages/a/src/three.ts':
        "/** import { one } from './one.ts'; */\n// import './two.ts';\nexport const three = 3;\n",
    });
    expect(findCycles(directory)).toEqual([]);
  });
});
