import { Option, type Argument, type Command } from 'commander';
import { algorithms } from '@fanfare/server/algorithms';
import { logLevels } from '@fanfare/server/settings';

/** The possible continuations of a command line. */
export type Completion =
  | { readonly kind: 'words'; readonly words: readonly CompletionWord[] }
  | { readonly kind: 'files' | 'directories' | 'topics' };

export interface CompletionWord {
  readonly word: string;
  readonly about: string;
}

const nothing: Completion = { kind: 'words', words: [] };

/** The kind of a value, by its placeholder in help. */
const values: Readonly<Record<string, Completion>> = {
  file: { kind: 'files' },
  directory: { kind: 'directories' },
  topic: { kind: 'topics' },
  pattern: { kind: 'topics' },
  from: wordsOf('new', 'earliest', 'last'),
  algorithm: wordsOf(...algorithms),
  level: wordsOf(...logLevels),
};

/**
 * Finds the possible continuations of a command line.
 *
 * @param typed - the words so far, without the name of the program; the last one is incomplete, and may be
 *   empty
 */
export function completionsFor(program: Command, typed: readonly string[]): Completion {
  const current = typed.at(-1) ?? '';
  let command = program;
  let position = 0;
  let open: Option | undefined;
  for (const word of typed.slice(0, -1)) {
    const option = command.options.find(({ long, short }) => word === long || word === short);
    const below = command.commands.find((one) => one.name() === word);
    if (option) open = takesValue(option) ? option : undefined;
    else if (open) open = open.variadic ? open : undefined;
    else if (below && position === 0) command = below;
    else if (!word.startsWith('-') || word === '-') position++;
  }
  if (current.startsWith('-')) return startingWith(current, optionsOf(command));
  if (open) return narrowed(valueOf(open), current);
  if (command.commands.length > 0) return position > 0 ? nothing : startingWith(current, commandsOf(command));
  const argument = command.registeredArguments.at(Math.min(position, command.registeredArguments.length - 1));
  const isThere =
    argument !== undefined && (argument.variadic || position < command.registeredArguments.length);
  return isThere ? narrowed(valueOf(argument), current) : nothing;
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

function valueOf(given: Option | Argument): Completion {
  if (given.argChoices) return wordsOf(...given.argChoices);
  const name = given instanceof Option ? (/<(\w+)/.exec(given.flags)?.[1] ?? '') : given.name();
  return values[name] ?? nothing;
}

function optionsOf({ options }: Command): readonly CompletionWord[] {
  const shown = options.filter(({ hidden }) => !hidden);
  return [
    ...shown.map(({ long, short, description }) => ({ word: long ?? short ?? '', about: description })),
    { word: '--help', about: 'print help' },
  ];
}

function commandsOf({ commands }: Command): readonly CompletionWord[] {
  return commands.map((command) => ({ word: command.name(), about: command.description() }));
}

function narrowed(completion: Completion, current: string): Completion {
  return completion.kind === 'words' ? startingWith(current, completion.words) : completion;
}

function startingWith(current: string, words: readonly CompletionWord[]): Completion {
  return { kind: 'words', words: words.filter(({ word }) => word.startsWith(current)) };
}

function wordsOf(...words: readonly string[]): Completion {
  return { kind: 'words', words: words.map((word) => ({ word, about: '' })) };
}
