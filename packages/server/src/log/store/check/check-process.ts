import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { dataFile } from '../directory/file-names.ts';
import { firstKey, tableNames, tableOptions } from '../lmdb/lmdb-file.ts';
import { checkPages } from './page-check.ts';
import { resultPipe, startCheck } from './store-check.ts';

/**
 * A program: `node check-process.js DIRECTORY` writes a line that says what is damaged in a data directory, or has
 * nothing. When nothing is, it has LMDB read the file, which can end this process, and writes a second line. Nobody may
 * write there meanwhile.
 *
 * The lines go to a pipe of their own: what NODE_OPTIONS has a process load may print something.
 */
const [directory = '.'] = process.argv.slice(2);
const path = join(directory, dataFile);
const [damage = ''] = checkPages(path, startCheck);
writeSync(resultPipe, `${damage}\n`);
if (damage === '') {
  readWithLmdb();
  writeSync(resultPipe, 'read\n');
}
// It may have been given something else to do, too.
process.exit();

/** Has LMDB follow all pages. What it says, the server finds again. */
function readWithLmdb(): void {
  try {
    const root = open({ ...tableOptions, path, readOnly: true, maxDbs: 2 * tableNames.length });
    for (const name of tableNames) root.openDB(name, { ...tableOptions }).getKeysCount({ start: firstKey });
  } catch {
    // A file that was just made has no tables.
  }
}
