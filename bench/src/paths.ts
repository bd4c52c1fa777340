import { fileURLToPath } from 'node:url';

/** The folder of the repository, with a separator at its end. */
export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** The compiled form of a file of this package. */
export function compiled(path: string): string {
  return `${root}bench/dist/${path}`;
}
