import { showControls } from './show.ts';

/**
 * Writes lines to the standard output: for programs as they are, in a terminal with control characters made visible.
 *
 * @returns whether there is room for more; if not, it comes with the event `drain`
 */
export function print(...lines: readonly string[]): boolean {
  const text = lines.map((line) => `${line}\n`).join('');
  return process.stdout.write(process.stdout.isTTY ? showControls(text) : text);
}

/** Says a sentence to people: the standard output is for what was asked for. */
export function say(sentence: string): void {
  console.error(showControls(sentence));
}
