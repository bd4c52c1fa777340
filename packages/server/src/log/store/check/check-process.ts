import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { dataFile } from '../directory/file-names.ts';
import { firstKey, tableNames, tableOptions } from '../lmdb/lmdb-file.ts';
import { checkPages } from './page-check.ts';
import { resultPipe, startCheck } from './store-check.ts';

/**
 * The program `node check-process.js DIRECTORY` checks a data directory. It writes a line with the first
 * damage, or an empty line. If nothing is damaged, it lets LMDB read the file, which can crash the process,
 * and writes a second line. Nothing may write to the directory meanwhile.
 *
 * The lines go to a pipe of their own, because modules that NODE_OPTIONS loads may print something.
 */
const [directory = '.'] = process.argv.slice(2);
const path = join(directory, dataFile);
const [damage = ''] = checkPages(path, startCheck);
writeSync(resultPipe, `${damage}\n`);
if (damage === '') {
  readWithLmdb();
  writeSync(resultPipe, 'read\n');
}
// NODE_OPTIONS may have started something else too.
process.exit();

/** Lets LMDB follow all pages. The server meets LMDB's errors later, and reports them. */
function readWithLmdb(): void {
  try {
    const root = open({ ...tableOptions, path, readOnly: true, maxDbs: 2 * tableNames.length });
    for (const name of tableNames) root.openDB(name, { ...tableOptions }).getKeysCount({ start: firstKey });
  } catch {
    // A new file has no tables.
  }
}
