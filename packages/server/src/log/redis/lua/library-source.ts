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

const functionsLua: string = [
  // Redis has no commands while it loads a library.
  'local call; call = function(...) call = redis.call; return call(...) end',
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
  topicChangesLua,
  patternsLua,
  nodesLua,
  upkeepLua,
].join('\n');

const digest = createHash('sha256')
  .update(functionsLua + JSON.stringify(flags))
  .digest('hex');

/**
 * Other functions have another name, so that nodes of two versions can run side by side. Redis goes on with the
 * functions that it has under a name.
 */
export const libraryName: string = `fanfare_${digest.slice(0, 8)}`;

/** The source of the library, for `FUNCTION LOAD`. */
export const librarySource: string = [
  `#!lua name=${libraryName}`,
  functionsLua,
  ...Object.entries(flags).map(
    ([name, flag]) =>
      `redis.register_function{function_name='${libraryName}_${name}', callback=${name}, flags={${flag === undefined ? '' : `'${flag}'`}}}`,
  ),
].join('\n');
