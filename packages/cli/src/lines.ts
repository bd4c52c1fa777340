import { StringDecoder } from 'node:string_decoder';
import { CommandError, exitCodes } from './exit-codes.ts';

/** A line that is longer is no line, but some other file. */
const lineCharactersMax = 134_217_728;

/**
 * Reads lines, as many at a time as have come. Only a line feed ends a line (or one with a carriage return before it):
 * other separators, such as U+2028, may be in the middle of JSON.
 *
 * @throws CommandError when a line is too long
 */
export async function* readLines(
  input: AsyncIterable<Buffer>,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<readonly string[], void, undefined> {
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  let waiting = 0;
  for await (const chunk of input) {
    onBytes?.(chunk.length);
    const text = decoder.write(chunk);
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    if (lines.length > 0) {
      lines[0] = pieces.join('') + (lines[0] ?? '');
      pieces = [];
      waiting = 0;
      yield lines.map(withoutReturn);
    }
    pieces.push(rest);
    waiting += rest.length;
    if (waiting > lineCharactersMax)
      throw new CommandError(exitCodes.usage, `A line is longer than ${lineCharactersMax} characters.`);
  }
  const last = pieces.join('') + decoder.end();
  if (last !== '') yield [withoutReturn(last)];
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
