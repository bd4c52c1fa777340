import { styleText } from 'node:util';
import { escapeControls } from './display-text.ts';

export type Style = 'bold' | 'dim' | 'cyan';

/**
 * Writes lines to the standard output: for programs as they are, in a terminal with control characters made visible.
 *
 * @returns whether there is room for more; if not, it comes with the event `drain`
 */
export function print(...lines: readonly string[]): boolean {
  return printPainted(...lines.map((line) => painted(line)));
}

/** Writes lines that are made of what {@link painted} gives. */
export function printPainted(...lines: readonly string[]): boolean {
  return process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/**
 * A text for the standard output: for programs as it is. In a terminal its control characters are made visible, and it
 * has a style, unless `NO_COLOR` is set.
 */
export function painted(text: string, style?: Style): string {
  if (!process.stdout.isTTY) return text;
  const shown = escapeControls(text);
  return style === undefined ? shown : styleText(style, shown);
}

/** Says a sentence to people: the standard output is for what was asked for. */
export function say(sentence: string): void {
  console.error(escapeControls(sentence));
}

/** Says why the command fails. */
export function complain(sentence: string): void {
  const shown = escapeControls(sentence);
  console.error(process.stderr.isTTY ? styleText('red', shown, { stream: process.stderr }) : shown);
}
