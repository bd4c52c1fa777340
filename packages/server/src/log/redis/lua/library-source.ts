import { createHash } from 'node:crypto';
import { appendLua } from './append.ts';
import { clockLua } from './clock.ts';
import { idsLua } from './ids.ts';
import { journalLua } from './journal.ts';
import { nodesLua } from './nodes.ts';
import { patternsLua } from './patterns.ts';
import { positionsLua } from './positions.ts';
import { stateLua } from './state.ts';
import { topicChangesLua } from './topic-changes.ts';
import { topicListsLua } from './topic-lists.ts';
import { topicReadsLua } from './topic-reads.ts';
import { topicsLua } from './topics.ts';
import { transferLua } from './transfer.ts';
import { unusedNamesLua } from './unused-names.ts';
import { upkeepLua } from './upkeep.ts';

/**
 * The functions, and how they are registered. A function that only reads runs where Redis refuses writes. A
 * function that makes room, or that a subscriber needs, runs even if Redis's memory is full.
 */
const flags = {
  hello: 'allow-oom',
  state: 'allow-oom',
  append: undefined,
  open: 'allow-oom',
  declare: undefined,
  use: 'allow-oom',
  delete: 'allow-oom',
  touch: 'allow-oom',
  cover: 'allow-oom',
  sweep: 'allow-oom',
  retain: 'allow-oom',
  leave: 'allow-oom',
  revoke: 'allow-oom',
  since: 'no-writes',
  locate: 'no-writes',
  page: 'no-writes',
  before: 'no-writes',
  runs: 'no-writes',
  records: 'no-writes',
  list: 'no-writes',
  topic_state: 'no-writes',
  names: 'no-writes',
  patterns: 'no-writes',
  pattern_start: 'no-writes',
  survey: 'no-writes',
  beat: 'allow-oom',
  tell: 'allow-oom',
  part: 'allow-oom',
  usage: 'no-writes',
  rules: 'no-writes',
  revocations: 'no-writes',
} as const;

/** The name of a function of the library. */
export type FunctionName = keyof typeof flags;

/** What all libraries need: the log, its topics and its messages. */
const commonParts = [
  clockLua,
  stateLua,
  topicsLua,
  unusedNamesLua,
  idsLua,
  appendLua,
  positionsLua,
  topicReadsLua,
  journalLua,
  topicListsLua,
];

const log = libraryOf('fanfare', [...commonParts, topicChangesLua, patternsLua, nodesLua, upkeepLua], flags);

export const libraryName: string = log.name;

/** The source of the library, for `FUNCTION LOAD`. */
export const librarySource: string = log.source;

const transferFlags = {
  probe: 'no-writes',
  import_begin: undefined,
  import_topics: undefined,
  import_messages: undefined,
  import_end: undefined,
  import_drop: 'allow-oom',
  export_topics: 'no-writes',
  export_revocations: 'no-writes',
  export_messages: 'no-writes',
} as const;

export type TransferFunctionName = keyof typeof transferFlags;

/** The functions of `fanfare store`, in a library of their own that servers do not need. */
const transfer = libraryOf('fanfare_transfer', [...commonParts, transferLua], transferFlags);

export const transferLibraryName: string = transfer.name;
export const transferSource: string = transfer.source;

/**
 * A library has a digest of its code in its name. So other functions have another name, and nodes of two
 * versions can run side by side. Redis goes on with the functions that it has under a name.
 */
function libraryOf(
  prefix: string,
  parts: readonly string[],
  functions: Readonly<Record<string, string | undefined>>,
): { readonly name: string; readonly source: string } {
  const code = [
    // Redis has no commands while it loads a library.
    'local call; call = function(...) call = redis.call; return call(...) end',
    ...parts,
  ].join('\n');
  const digest = createHash('sha256').update(code).update(JSON.stringify(functions)).digest('hex');
  const name = `${prefix}_${digest.slice(0, 8)}`;
  const registered = Object.entries(functions).map(
    ([callback, flag]) =>
      `redis.register_function{function_name='${name}_${callback}', callback=${callback}, flags={${flag === undefined ? '' : `'${flag}'`}}}`,
  );
  return { name, source: [`#!lua name=${name}`, code, ...registered].join('\n') };
}
