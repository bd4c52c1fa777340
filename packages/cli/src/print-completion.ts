import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { askFanfare, parseAnswer } from './api.ts';
import { targetOf, type TargetFlags } from './commands/options.ts';
import { completionsFor } from './completion-words.ts';
import { print } from './output.ts';

/** The timeout is short, because the shell waits for the words, and the user for the shell. */
const topicsTimeoutMs = 1_000;
const topicsMax = 1_000;

/**
 * Prints the words that can come next, for the scripts of `fanfare completion`. Each line has a word, a tab
 * and a description of the word. For a path, the only line is `:files` or `:directories`. For a topic of a
 * server that does not respond, nothing is printed.
 *
 * @param typed - the words so far, without the program's name; the last one is incomplete
 */
export async function printCompletion(program: Command, typed: readonly string[]): Promise<void> {
  const found = completionsFor(program, typed);
  if (found.kind === 'words') print(...found.words.map(({ word, about }) => `${word}\t${about}`));
  else if (found.kind !== 'topics') print(`:${found.kind}`);
  else {
    const listed = topicsOf(typed).catch((): readonly string[] => []);
    print(...(await Promise.race([listed, sleep(topicsTimeoutMs, [], { ref: false })])));
  }
}

async function topicsOf(typed: readonly string[]): Promise<readonly string[]> {
  const target = await targetOf(flagsIn(typed));
  const query = { prefix: typed.at(-1) ?? '', limit: String(topicsMax) };
  const answer = await askFanfare(target, 'list the topics', { method: 'GET', path: 'topics', query });
  const { topics } = parseAnswer<{ topics: { topic: string }[] }>(target, answer, (page) =>
    Array.isArray(page.topics),
  );
  return topics.map(({ topic }) => topic).filter((topic) => !topic.startsWith(':'));
}

/** The server that the typed flags and the environment name. */
function flagsIn(typed: readonly string[]): TargetFlags {
  const after = (flag: string): string | undefined => {
    const at = typed.lastIndexOf(flag, typed.length - 2);
    return at === -1 ? undefined : typed[at + 1];
  };
  const [token, tokenFile] = [after('--token'), after('--token-file')];
  const ca = after('--ca') ?? process.env['FANFARE_CA'];
  return {
    url: after('--url') ?? process.env['FANFARE_URL'] ?? '',
    ...(token !== undefined && { token }),
    ...(tokenFile !== undefined && { tokenFile }),
    ...(ca !== undefined && { ca }),
  };
}
