import type { Command } from 'commander';
import { flagOf, groupOf, settingKinds, settingNames } from '@fanfare/server/settings';
import { describe, expect, it } from 'vitest';
import { buildCommandLine } from '../src/command-line.ts';

/** A command and all below it, by what is typed for it. */
function all(command: Command, path: string): [string, Command][] {
  return [[path, command], ...command.commands.flatMap((one) => all(one, `${path} ${one.name()}`))];
}

function helpOf(command: Command): string {
  let text = '';
  const write = (piece: string): void => void (text += piece);
  command.configureOutput({ writeOut: write, getOutHasColors: () => false }).outputHelp();
  return text;
}

const commands = new Map(all(buildCommandLine(), 'fanfare'));

function commandOf(line: string): { command: Command; args: readonly string[] } {
  let [name = '', ...args] = line.split(' ');
  while (commands.has(`${name} ${args[0]}`)) name += ` ${args.shift()}`;
  return { command: commands.get(name) as Command, args };
}

describe('help', () => {
  it.each([...commands])('the help of %s fits 80 columns', (_, command) => {
    for (const line of helpOf(command).split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('the help of fanfare serve has every setting, in groups', () => {
    const help = helpOf(commands.get('fanfare serve') as Command);
    const headings = ['Common:', 'Storage:', 'Access:', 'Limits:', 'Network:', 'Examples:'];
    const found = help.split('\n').filter((line) => headings.includes(line));
    expect(found).toEqual(headings);
    for (const name of settingNames) {
      const heading = `${groupOf(name).charAt(0).toUpperCase()}${groupOf(name).slice(1)}:`;
      const next = headings[headings.indexOf(heading) + 1] ?? '';
      const section = help.slice(help.indexOf(`\n${heading}\n`), help.indexOf(`\n${next}\n`));
      expect([name, section.includes(`  ${flagOf(name)}`)]).toEqual([name, true]);
    }
  });

  it('the help has a group for every setting that is not a limit', () => {
    const lost = settingNames.filter((name) => !settingKinds[name].limit && !settingKinds[name].group);
    expect(lost).toEqual([]);
  });

  it('the examples of the help use only commands and options that exist', () => {
    const examples = [...commands.values()].flatMap((command) =>
      [...helpOf(command).matchAll(/^ {2}\$ (.*)$/gm)].flatMap(([, line = '']) => line.split(' | ')),
    );
    const own = examples.filter((line) => line.startsWith('fanfare '));
    expect(own.length).toBeGreaterThan(15);
    for (const line of own) {
      const { command, args } = commandOf(line);
      const flags = command.options.map(({ long }) => long);
      for (const arg of args.filter((one) => one.startsWith('--')))
        expect([line, flags]).toEqual([line, expect.arrayContaining([arg])]);
      expect([line, command.commands.length === 0 || args.length === 0]).toEqual([line, true]);
    }
  });
});
