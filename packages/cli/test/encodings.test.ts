import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import type { CommandError } from '../src/exit-codes.ts';
import { readLines } from '../src/read-lines.ts';
import { escapeControls } from '../src/display-text.ts';
import {
  fanfare,
  fanfarePath,
  outcome,
  Program,
  startServer,
  temporaryDirectory,
  withoutLife,
} from './harness.ts';
import { inTerminal } from './terminal.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What `readLines` gives of an input that comes in pieces of a size, and the error at its end. */
async function read(input: Buffer, size: number): Promise<{ lines: string[]; error: unknown }> {
  const lines: string[] = [];
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < input.length; at += size) yield input.subarray(at, at + size);
  }
  try {
    await within(soonMs, 'the input is read to its end', async () => {
      for await (const some of readLines(pieces())) lines.push(...some);
    });
    return { lines, error: undefined };
  } catch (error) {
    return { lines, error };
  }
}

const notUtf8 = (line: number): string =>
  `Line ${line} of the standard input is not UTF-8: convert the input first, for example with iconv -f LATIN1 -t UTF-8`;
const utf16 =
  'The standard input is UTF-16, not UTF-8: convert it first, for example with iconv -f UTF-16 -t UTF-8';

describe.each([[1], [3], [65_536]])('lines that come in pieces of %i bytes', (size) => {
  it.each<[string, Buffer, string[], string | undefined]>([
    ['UTF-8', Buffer.from('caf\u00e9\n\u4f60\r\n\n\u{1f980}'), ['café', '你', '', '🦀'], undefined],
    [
      'a byte order mark at the start',
      Buffer.from('\ufefffirst\n\ufeffsecond\n'),
      ['first', '\ufeffsecond'],
      undefined,
    ],
    ['nothing but a byte order mark', Buffer.from('\ufeff'), [], undefined],
    ['a replacement character that was really sent', Buffer.from('\ufffd\n'), ['\ufffd'], undefined],
    ['a first line of Latin-1', bytes('caf\xe9\nb\n'), [], notUtf8(1)],
    ['a later line of Latin-1', bytes('a\nb\ncaf\xe9\nd\n'), ['a', 'b'], notUtf8(3)],
    ['a last line of Latin-1 without a line feed', bytes('a\ncaf\xe9'), ['a'], notUtf8(2)],
    ['a character that the end cuts off', bytes('a\n\xf0\x9f'), ['a'], notUtf8(2)],
    ['an encoded surrogate', bytes('\xed\xa0\x80\n'), [], notUtf8(1)],
    ['UTF-16 with a byte order mark', Buffer.from('\ufeffcaf\u00e9\r\n', 'utf16le'), [], utf16],
    ['big-endian UTF-16', Buffer.from('\ufeffhi\n', 'utf16le').swap16(), [], utf16],
    ['UTF-16 without a byte order mark', Buffer.from('hello\n', 'utf16le'), [], utf16],
    ['big-endian UTF-16 without one', Buffer.from('hello\n', 'utf16le').swap16(), [], utf16],
  ])(
    'lines are read whatever the size of the pieces, or refused with their number: %s',
    async (_, input, lines, sentence) => {
      const { lines: found, error } = await read(input, size);
      expect(found).toEqual(lines);
      expect((error as CommandError | undefined)?.message).toBe(sentence);
    },
  );
});

describe('fanfare pub', () => {
  it('fanfare pub publishes the lines before one that is not UTF-8, and nothing of it or after it', async () => {
    const { url } = await startServer();
    const publisher = fanfare('pub', 'news', '-', '--create', '--url', url);
    publisher.process.stdin?.end(bytes('\xef\xbb\xbffirst\ncaf\xe9\nthird\n'));
    expect(await outcome(publisher)).toEqual({
      code: 1,
      stdout: '',
      stderr: `Message published to topic 'news'\n${notUtf8(2)} (published before it: 1)\n`,
    });
    const history = await outcome(fanfare('history', 'news', '--json', '--url', url));
    expect(JSON.parse(history.stdout)).toMatchObject({ message: 'first' });
  });

  it('fanfare pub ends with 1 at input in UTF-16, and publishes nothing', async () => {
    const { server, url } = await startServer();
    const publisher = fanfare('pub', 'news', '-', '--create', '--url', url);
    publisher.process.stdin?.end(Buffer.from('\ufeffcafé\r\n', 'utf16le'));
    expect(await outcome(publisher)).toEqual({ code: 1, stdout: '', stderr: `${utf16}\n` });
    expect(await server.publish('news', 'x')).toMatchObject({ ok: true });
    expect((await outcome(fanfare('history', 'news', '--url', url))).stdout).toMatch(/^\S+\tx\n$/);
  });

  it('fanfare pub refuses an argument that is not UTF-8', async () => {
    const { url } = await startServer();
    const shell = `"${process.execPath}" "${fanfarePath}" pub news $'caf\\xe9' --create --url ${url}`;
    expect(await outcome(new Program('bash', ['-c', shell]))).toEqual({
      code: 2,
      stdout: '',
      stderr: 'The arguments are not UTF-8. Set the locale of this terminal or script to UTF-8.\n',
    });
    const real = await outcome(fanfare('pub', 'news', '\ufffd', '--create', '--url', url));
    expect(real).toMatchObject({ code: 0 });
  });

  it('fanfare pub does not publish what is typed at its prompt in another encoding', async () => {
    const { url } = await startServer();
    const publisher = fanfare('pub', '--url', url);
    publisher.process.stdin?.end(bytes('news\ncaf\xe9\nexit\n'));
    const { code, stdout } = await outcome(publisher);
    expect(code).toBe(0);
    expect(stdout).toContain('Failed to publish message: it is not UTF-8.\n');
  });
});

describe('files that Windows has written', () => {
  it('a configuration file with a byte order mark is read', async () => {
    const config = join(temporaryDirectory(), 'fanfare.json');
    writeFileSync(config, '\ufeff{"port": 0, "memory": true}');
    const program = fanfare('serve', '--config', config);
    await program.says('Fanfare serves on');
    expect(withoutLife(program.stderr)).toBe('');
  });

  it('a token file in UTF-16 is refused with a sentence', async () => {
    const { url } = await startServer();
    const file = join(temporaryDirectory(), 'ann.token');
    writeFileSync(file, Buffer.from('\ufeffeyJhbGciOiJIUzI1NiJ9\r\n', 'utf16le'));
    expect(await outcome(fanfare('topics', '--token-file', file, '--url', url))).toEqual({
      code: 2,
      stdout: '',
      stderr: `--token-file ${file} is not a token: it has characters that tokens do not have. Is the file UTF-16?\n`,
    });
  });
});

describe('text from somebody else in a terminal', () => {
  const deceit = 'a\u202etxt.exe\u202c\u2066b\u2069\u200e\u200f\u061c\u009b31m';
  const visible = 'a\\u202etxt.exe\\u202c\\u2066b\\u2069\\u200e\\u200f\\u061c\\u009b31m';

  it("control characters of others' text are shown on a terminal, and those of the writing direction too", () => {
    expect(escapeControls(deceit)).toBe(visible);
    expect(escapeControls('mañana\tשלום\n👩‍💻')).toBe('mañana\tשלום\n👩‍💻');
  });

  it.each([
    ['sub news --from earliest --count 1', visible],
    ['sub news --from earliest --count 1 --json', `"${visible}"`],
    ['history news', visible],
    ['history news --json', `"${visible}"`],
  ])("fanfare %s shows control characters of others' text on a terminal", async (command, shown) => {
    const { server, url } = await startServer();
    await outcome(fanfare('topics', 'create', 'news', '--url', url));
    await server.publish('news', deceit);
    const terminal = inTerminal(`${command} --url ${url}`, { width: 300 });
    await terminal.shows(shown);
    expect(await terminal.exitCode()).toBe(0);
  });

  it("control characters of others' text stay as they are in a pipe", async () => {
    const { server, url } = await startServer();
    await outcome(fanfare('topics', 'create', 'news', '--url', url));
    await server.publish('news', deceit);
    expect((await outcome(fanfare('history', 'news', '--url', url))).stdout).toContain(deceit);
  });
});
