import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const isSkipped = /(?:^|\/)(?:node_modules|dist|\.git)(?:\/|$)/;

/**
 * The files and folders of the repository, with paths from its root. A folder ends with a slash. Installed
 * and built files are left out.
 */
export function repositoryPaths(folder = ''): string[] {
  return readdirSync(`${root}${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}${entry.name}`;
    if (isSkipped.test(path)) return [];
    return entry.isDirectory() ? [`${path}/`].concat(repositoryPaths(`${path}/`)) : [path];
  });
}

/** @param path - from the root of the repository */
export function readText(path: string): string {
  return readFileSync(`${root}${path}`, 'utf8');
}
