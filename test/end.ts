import { fileURLToPath } from 'node:url';

/** A file of the server, and the file that replaces it while tests run over another end. */
interface Replacement {
  readonly find: RegExp;
  readonly replacement: string;
}

function serverSource(path: string): string {
  return fileURLToPath(new URL(`../packages/server/src/${path}`, import.meta.url));
}

/**
 * The client ends over which the tests can run: what speaks Engine.IO and Socket.IO with clients. For each,
 * the files that it replaces in the process of a test. Only tests know the variable FANFARE_TEST_END: a user
 * cannot choose the end, and programs that tests start have the end of the product.
 */
const replacements = {
  'socket.io': [],
  engine: [{ find: /^\.\/own-client-end\.ts$/, replacement: serverSource('compose-clients.ts') }],
} as const satisfies Readonly<Record<string, readonly Replacement[]>>;

export type EndName = keyof typeof replacements;

/** @throws Error that names all ends, if there is no such end */
export function endOf(name: string): EndName {
  if (Object.hasOwn(replacements, name)) return name as EndName;
  const known = Object.keys(replacements).join(', ');
  throw new Error(`FANFARE_TEST_END must be one of these ends: ${known}. It is ${JSON.stringify(name)}.`);
}

/** The end that this run of the tests uses. */
export const testEnd: EndName = endOf(process.env['FANFARE_TEST_END'] ?? 'socket.io');

/** The files that this end replaces. */
export const replacedByEnd: readonly Replacement[] = replacements[testEnd];
