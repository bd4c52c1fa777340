import { realpathSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/fanfare.js', import.meta.url));

/** The command that a person can type to run this program again, in the same place. */
export function commandName(): string {
  if (process.env['npm_execpath'] !== undefined || isInstalledHere()) return 'npx fanfare';
  const isOnPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((folder) => isThis(join(folder, 'fanfare')));
  return isOnPath ? 'fanfare' : `node ${shellWord(relative('.', program))}`;
}

/** Whether npx finds this program from the current directory. */
function isInstalledHere(): boolean {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (isThis(join(folder, 'node_modules', '.bin', 'fanfare'))) return true;
    if (dirname(folder) === folder) return false;
  }
}

function isThis(path: string): boolean {
  try {
    return realpathSync(path) === realpathSync(program);
  } catch {
    return false;
  }
}

/** Quotes a text as one word of a shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
