import { styleText } from 'node:util';
import { escapeControls } from './display-text.ts';

export type Style = 'bold' | 'dim' | 'cyan' | 'green' | 'red' | 'yellow';

/**
 * Writes lines to the standard output. In a terminal, control characters are escaped.
 *
 * @returns false under backpressure: wait for the event `drain` then
 */
export function print(...lines: readonly string[]): boolean {
  return printPainted(...lines.map((line) => painted(line)));
}

/** Writes lines that {@link painted} has produced. */
export function printPainted(...lines: readonly string[]): boolean {
  return process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/**
 * Formats a text for the standard output. In a terminal, control characters are escaped, and the text has a
 * style unless `NO_COLOR` is set. For programs, the text stays as it is.
 */
export function painted(text: string, style?: Style): string {
  if (!process.stdout.isTTY) return text;
  const shown = escapeControls(text);
  return style === undefined ? shown : styleText(style, shown);
}

/** Writes a message for people to the standard error, because the standard output is for data. */
export function say(sentence: string): void {
  console.error(escapeControls(sentence));
}

/** Writes the error message of the command to the standard error. */
export function complain(sentence: string): void {
  const shown = escapeControls(sentence);
  console.error(process.stderr.isTTY ? styleText('red', shown, { stream: process.stderr }) : shown);
}
