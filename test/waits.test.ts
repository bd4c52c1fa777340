import { EventEmitter } from 'node:events';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readText, repositoryPaths } from './repository.ts';
import { collect, nextEvent, until, within } from './waits.ts';
import { expectingFunctions, findWaits, importedFiles, rules, type Finding } from './waits-check.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Files that can wait without a bound, with the reasons. */
const exceptions: Readonly<Record<string, string>> = {
  'test/waits.ts': 'the helpers themselves',
  'test/waits.test.ts': 'what the check must find is written here',
  'packages/server/test/faults/publishers.ts':
    'publish for as long as the test goes on, which ends the world',
  'packages/server/test/hostile/fuzz.ts': 'ends after a number of inputs',
  'packages/server/test/hostile/socket-fuzz.ts': 'ends after a number of inputs',
};

/** The TypeScript files of all tests. */
const testFiles = repositoryPaths().filter((path) =>
  /^(?:(?:packages\/[^/]+|bench)\/)?test\/(?!.*fixtures).*\.ts$/.test(path),
);

function sentenceOf(file: string, { line, rule, source }: Finding): string {
  return `${file}:${line}: ${rules[rule]}\n    ${source}`;
}

describe('the tests of this repository', () => {
  const sources = new Map(testFiles.map((file) => [file, readText(file)]));
  const expecting = new Map([...sources].map(([file, source]) => [file, expectingFunctions(source)]));

  it('all tests wait with a bound, never sleep without a reason, and contain an `expect`', () => {
    expect(sources.size).toBeGreaterThan(150);
    const sentences = [...sources].flatMap(([file, source]) => {
      const imported = importedFiles(source).map((path) => relative(root, join(root, dirname(file), path)));
      const known = [file, ...imported].flatMap((each) => expecting.get(each.replaceAll('\\', '/')) ?? []);
      const findings = findWaits(source, new Set(known)).filter(
        ({ rule }) => !(file in exceptions) || rule === 'expectation',
      );
      return findings.map((finding) => sentenceOf(file, finding));
    });
    expect(sentences.filter((sentence) => !sentence.startsWith('test/waits.test.ts'))).toEqual([]);
  });

  it('the list of files that can wait without a bound has only files that need it', () => {
    const needless = Object.keys(exceptions).filter(
      (file) => findWaits(sources.get(file) ?? '').length === 0,
    );
    expect(needless).toEqual(['test/waits.test.ts'].filter((file) => needless.includes(file)));
  });
});

describe('the check of waits in tests', () => {
  const imports = "import { once } from 'node:events';\nimport { sleep } from '../../test/waits.ts';\n";

  it.each<[string, Finding['rule']]>([
    ["await once(socket, 'close');", 'once'],
    ["const closed = once(socket, 'close');\nawait closed;", 'once'],
    ["await new Promise((resolve) => void client.once('connect', resolve));", 'promise'],
    ["const gone = new Promise((resolve) => client.on('disconnect', () => resolve()));", 'promise'],
    ["await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));", 'promise'],
    ['while (messages.length < 3) messages.push(await next());', 'loop'],
    ['do { await next(); } while (!isOver);', 'loop'],
    ['for (;;) await next();', 'loop'],
    ['for (let at = 0; got.length < 3; at++) got.push(await next(at));', 'loop'],
    ['while (!isOver) await new Promise((resolve) => setImmediate(resolve));', 'loop'],
    ['for await (const message of subscription) got.push(message);', 'iteration'],
    ['await new Promise((resolve) => setTimeout(resolve, 100));', 'sleep'],
    ['const ready = true;\nawait sleep(100);', 'sleep'],
    ["import { setTimeout as pause } from 'node:timers/promises';\nawait pause(100);", 'sleep'],
    ["it('stays up', async () => { await start(); });", 'expectation'],
    ["it.each([1, 2])('stays up with %i', async () => { await start(); });", 'expectation'],
  ])('the check of waits finds: %s', (source, rule) => {
    expect(findWaits(imports + source).map((finding) => finding.rule)).toEqual([rule]);
  });

  it.each([
    "await within(1_000, 'it closes', once(socket, 'close'));",
    "await nextEvent(socket, 'close', 'it closes');",
    "const closed = new Promise((resolve) => void socket.once('close', resolve));\nawait within(1_000, 'it closes', closed);",
    "await until('three messages come', () => got.length >= 3, { step: async () => got.push(await next()) });",
    "const step = async () => { for (;;) await next(); };\nawait until('it ends', isOver, { step });",
    'for (let at = 0; at < 3; at++) await next(at);',
    'for (const each of all) await each();',
    'while (performance.now() < endsAt) await next();',
    'while (!over.signal.aborted) await next();',
    "await within(1_000, 'all come', async () => { for await (const each of all) got.push(each); });",
    '// Time itself is the test: the reader is slow.\nawait sleep(100);',
    'await new Promise((resolve) => setImmediate(resolve));',
    'const never = new Promise(() => {});',
    "it('adds', () => { expect(1 + 1).toBe(2); });",
    "it('stays up', async () => {\n// Proves: nothing is thrown.\nawait start(); });",
  ])('the check of waits accepts: %s', (source) => {
    expect(findWaits(imports + source)).toEqual([]);
  });

  it('the check of waits accepts a case without an `expect` if a function that it calls has one', () => {
    const functions = expectingFunctions('function expectToServe(url: string) { expect(url).toBe(1); }');
    expect(findWaits("it('serves', () => expectToServe(url));", new Set(functions))).toEqual([]);
  });
});

describe('a wait that takes too long', () => {
  it('a wait that takes too long fails with a sentence about what did not happen, and the progress so far', async () => {
    const never = new Promise(() => {});
    await expect(within(10, 'the server closes the connection', never, () => ['a', 'b'])).rejects.toThrow(
      "not within 10 ms: the server closes the connection; so far: [ 'a', 'b' ]",
    );
  });

  it('a wait that takes too long fails with the name of the event that did not come', async () => {
    const event = nextEvent(new EventEmitter(), 'message', 'the subscriber resumes after the cut', 10);
    await expect(event).rejects.toThrow(
      'no `message` event within 10 ms: the subscriber resumes after the cut',
    );
  });

  it('a wait fails when its condition is never met, though each step is done at once', async () => {
    const isMet = until('the answer is 42', () => false, { step: async () => {}, ms: 10 });
    await expect(isMet).rejects.toThrow('not within 10 ms: the answer is 42');
  });

  it('a wait fails when a step hangs', async () => {
    const isMet = until('the answer is 42', () => false, { step: async () => new Promise(() => {}), ms: 10 });
    await expect(isMet).rejects.toThrow('not within 10 ms: the answer is 42');
  });

  it('a wait fails with the values that an iterable has brought when it brings no more', async () => {
    async function* two(): AsyncGenerator<number> {
      yield 1;
      yield 2;
      await new Promise(() => {});
    }
    await expect(collect('three numbers come', two(), { count: 3, ms: 10 })).rejects.toThrow(
      'not within 10 ms: three numbers come; so far: [ 1, 2 ]',
    );
  });

  it('a wait that fails has a stack that begins in the test', async () => {
    const error = await within(1, 'it happens', new Promise(() => {})).catch((reason: unknown) => reason);
    expect((error as Error).stack?.split('\n')[1]).toContain('waits.test.ts');
  });

  it('a wait that takes too long does not fail a test that does not wait for it any more', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): unknown => unhandled.push(reason);
    process.on('unhandledRejection', note);
    void nextEvent(new EventEmitter(), 'message', 'nobody waits', 1);
    await within(1, 'nothing happens', new Promise(() => {})).catch(() => {});
    await until('the first wait is over, too', () => true, {});
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
