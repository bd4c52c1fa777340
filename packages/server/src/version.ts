import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The name of the program, for people. */
export const name = 'Fanfare';

/** The version of Fanfare. All its packages have the same version. */
export const version: string = manifest.version;
