/** What pino writes of each entry. */
interface Entry {
  readonly level: number;
  readonly time: number;
  readonly msg: string;
  readonly err?: { readonly message?: string; readonly stack?: string };
  readonly [field: string]: unknown;
}

/** Fields that are in the line already, or are too long for it: `fanfare config print` has the settings. */
const hidden: ReadonlySet<string> = new Set([
  'level',
  'time',
  'pid',
  'hostname',
  'name',
  'msg',
  'err',
  'settings',
]);

/** The level in words, from which on entries have it. */
const words: readonly (readonly [from: number, word: string])[] = [
  [50, 'error'],
  [40, 'warn '],
  [0, 'info '],
];

/** The fields are cut after this number of characters: a person reads the sentence. */
const charactersMax = 300;

/**
 * Turns an entry into a line for people: `12:34:56 warn  sentence {"field":"value"}`. An error has its
 * message, and a failure of the program itself (a level from 50 on) the stack.
 */
export function lineForPeople(json: string): string {
  const entry = JSON.parse(json) as Entry;
  const { level, time, msg, err } = entry;
  const word = words.find(([from]) => level >= from)?.[1] ?? '';
  const clock = new Date(time).toTimeString().slice(0, 8);
  const fields = JSON.stringify(
    Object.fromEntries(Object.entries(entry).filter(([name]) => !hidden.has(name))),
  );
  const shown = fields === '{}' ? '' : ` ${cut(fields)}`;
  const why = err?.message === undefined || msg.includes(err.message) ? '' : ` (${oneLine(err.message)})`;
  const stack = level >= 50 && err?.stack !== undefined ? `\n${err.stack}` : '';
  return `${clock} ${word} ${oneLine(msg)}${why}${shown}${stack}\n`;
}

function cut(text: string): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
}

/** Clients can send line breaks and control characters. */
function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f]/g, ' ');
}
