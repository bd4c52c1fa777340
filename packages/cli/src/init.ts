import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { settingsSchema } from '@fanfare/server';
import {
  canReload,
  formatValue,
  groupOf,
  settingGroups,
  settingKinds,
  settingNames,
  type Settings,
} from '@fanfare/server/settings';
import { stringify } from 'yaml';
import { commandName, shellWord } from './command-name.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { print } from './output.ts';

const schemaFile = 'fanfare.schema.json';

/** The width of the comments. */
const columnsMax = 100;

/** `fanfare init` @throws CommandError if the file exists, or cannot be written */
export async function runInit(path: string): Promise<void> {
  const schemaPath = join(dirname(path), schemaFile);
  try {
    await writeFile(path, settingsTemplate(basename(path)), { flag: 'wx' });
    await writeFile(schemaPath, `${JSON.stringify(settingsSchema(), null, 2)}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === 'EEXIST' ? `${path} exists: name another file.` : `Cannot write ${path} (${code}).`;
    throw new CommandError(exitCodes.refused, reason);
  }
  const command = commandName();
  print(
    `Settings:  written to ${path} (and their schema for editors to ${schemaPath})`,
    `Check:     ${command} config check ${shellWord(path)}`,
    `Start:     ${command} serve --config ${shellWord(path)}`,
  );
}

/** A file with all settings as comments, each with its description and its default. */
export function settingsTemplate(fileName: string): string {
  const word = shellWord(fileName);
  const head = [
    `# yaml-language-server: $schema=${schemaFile}`,
    '#',
    '# Settings of Fanfare. All are comments: remove the "#" before a setting to change it.',
    '# The values are the defaults. Flags and environment variables override this file.',
    '#',
    `#   fanfare config check ${word}     reports every problem of this file`,
    `#   fanfare serve --config ${word}   starts the server`,
    '#',
    '# "reload" marks settings whose changes a running server applies on SIGHUP or `POST /reload`.',
    '# All other changes need a restart.',
    '#',
    '# Times have the unit ms, s, m, h or d (10s), and sizes B, KiB, MiB or GiB (64MiB).',
  ];
  const groups = settingGroups.map((group) => {
    const names = settingNames.filter((name) => groupOf(name) === group);
    return [`# ----- ${group} -----`, ...names.map((name) => entryOf(name))].join('\n\n');
  });
  return `${[head.join('\n'), ...groups].join('\n\n')}\n`;
}

function entryOf(name: keyof Settings): string {
  const { about, limit, default: fallback } = settingKinds[name];
  const beyond = limit ? ` Beyond it: ${limit.beyond}` : '';
  const text = `${about}${beyond}${canReload(name) ? ' (reload)' : ''}`;
  const value = typeof fallback === 'number' ? formatValue(name, fallback) : stringify(fallback).trim();
  return [...wrapped(text).map((line) => `# ${line}`), `#${name}: ${value}`].join('\n');
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 3 > columnsMax) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
