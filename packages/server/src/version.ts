import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The program's name, as it gives it to people. */
export const name = 'Fanfare';

/** The version of this package, and so of Fanfare: all its packages have the same. */
export const version: string = manifest.version;
