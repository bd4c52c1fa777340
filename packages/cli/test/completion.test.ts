import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { completionsFor } from '../src/completion-words.ts';
import { buildCommandLine } from '../src/command-line.ts';
import { fanfare, fanfarePath, outcome, Program, startServer, temporaryDirectory } from './harness.ts';
import { Terminal } from './terminal.ts';

/** The words that can come next, or what kind of thing. */
function next(line: string): readonly string[] | string {
  const completion = completionsFor(buildCommandLine(), line.split(' ').slice(1));
  return completion.kind === 'words' ? completion.words.map(({ word }) => word) : completion.kind;
}

/** A folder where a shell finds the command. */
function installed(): { folder: string; path: string } {
  const folder = temporaryDirectory();
  mkdirSync(join(folder, 'bin'));
  symlinkSync(fanfarePath, join(folder, 'bin', 'fanfare'));
  const path = [join(folder, 'bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter);
  return { folder, path };
}

describe('what can come next', () => {
  it.each<[string, readonly string[] | string]>([
    ['fanfare his', ['history']],
    ['fanfare topics ', ['list', 'create', 'delete']],
    ['fanfare topics d', ['delete']],
    ['fanfare store repair-times ', 'directories'],
    ['fanfare sub --to', ['--token-file', '--token']],
    ['fanfare sub --token-file ', 'files'],
    ['fanfare sub --token-file x ', 'topics'],
    ['fanfare sub --json news ', 'topics'],
    ['fanfare pub ', 'topics'],
    ['fanfare pub news ', []],
    ['fanfare sub --from e', ['earliest']],
    ['fanfare serve --data ', 'directories'],
    ['fanfare serve --conf', ['--config']],
    ['fanfare token mint --key-algorithm ES', ['ES256']],
    ['fanfare token mint ann --subscribe a b ', 'topics'],
    ['fanfare completion ', ['bash', 'zsh', 'fish']],
    ['fanfare nonsense ', []],
  ])('completion offers what can come next after «%s»', (line, expected) => {
    expect(next(line)).toEqual(expected);
  });

  it('completion knows every command', () => {
    const names = buildCommandLine().commands.map((command) => command.name());
    expect(next('fanfare ')).toEqual(names);
  });
});

describe('completion in a shell', () => {
  it('completion in bash offers commands, options, files, and the topics of the server that the line names', async () => {
    const { url } = await startServer();
    for (const topic of ['orders/7', 'order book', 'prices:1', 'prices:2'])
      await outcome(fanfare('topics', 'create', topic, '--url', url));
    const { folder, path } = installed();
    writeFileSync(join(folder, 'ann.token'), '');
    const script = `source <(fanfare completion bash)
      for COMP_LINE in "$@"; do COMP_POINT=\${#COMP_LINE}; _fanfare; (IFS='|'; echo "\${COMPREPLY[*]}"); done`;
    const lines: readonly (readonly [string, string])[] = [
      ['fanfare st', 'store'],
      ['fanfare topics ', 'list|create|delete'],
      ['fanfare sub --co', '--count'],
      [`fanfare sub --token-file ${folder}/an`, `${folder}/ann.token`],
      [`fanfare pub --url ${url} order`, String.raw`order\ book|orders/7`],
      [`fanfare sub --url ${url} prices:`, '1|2'],
      ['fanfare sub --url http://localhost:9 ', ''],
    ];
    const bash = new Program('bash', ['-c', script, 'bash', ...lines.map(([line]) => line)], { PATH: path });
    const { stdout } = await outcome(bash);
    expect(stdout.split('\n').slice(0, -1)).toEqual(lines.map(([, expected]) => expected));
  });

  it('completion in fish also says what each command and option is for', async () => {
    const { path, folder } = installed();
    const script = `fanfare completion fish | source; complete -C 'fanfare sto'; complete -C 'fanfare topics '; complete -C 'fanfare serve --data ${folder}/b'`;
    const { stdout } = await outcome(new Program('fish', ['--no-config', '-c', script], { PATH: path }));
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual([
      'store',
      'create',
      'delete',
      'list',
      `${folder}/bin/`,
      '',
    ]);
    expect(stdout).toContain('delete\tDelete topics and their messages.\n');
  });

  it.each([
    ['bash', 'bash --norc', 'source <(fanfare completion bash)'],
    ['zsh', 'zsh -f', 'autoload -U compinit; compinit -u -D; source <(fanfare completion zsh)'],
  ])('completion works at a prompt of %s', async (_, shell, setup) => {
    const { path } = installed();
    const terminal = new Terminal(`env PATH='${path}' PS1='> ' ${shell}`, { width: 120 });
    await terminal.shows('>');
    terminal.type(`${setup}; echo rea''dy`, 'Enter');
    await terminal.shows('ready');
    terminal.type('fanfare his', 'Tab');
    await terminal.shows('> fanfare history');
    terminal.type('C-u', 'fanfare topics cr', 'Tab', 'x --ur', 'Tab');
    await terminal.shows('> fanfare topics create x --url');
  });
});

it('the scripts for the shells are in the package', () => {
  const { files } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    files: string[];
  };
  expect(files).toContain('completion');
});
