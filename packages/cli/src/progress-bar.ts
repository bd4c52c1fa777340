import { clearLine, cursorTo } from 'node:readline';
import { escapeControls } from './display-text.ts';

export interface Step {
  readonly messages: number;
  readonly bytes: number;
  /** The finished share, from 0 to 1, if it is known. */
  readonly share?: number;
}

const redrawMs = 100;
const barWidth = 24;

/** The progress of a tool, in a line at the bottom of the terminal. Without a terminal, nothing is shown. */
export class ProgressBar {
  readonly #what: string;
  readonly #output: NodeJS.WriteStream;
  readonly #isShown: boolean;
  readonly #startedAt = performance.now();
  #drawnAt = 0;
  #isDrawn = false;

  /** @param what - the action, such as `verifying` */
  constructor(what: string, output: NodeJS.WriteStream, isShown: boolean) {
    this.#what = what;
    this.#output = output;
    this.#isShown = isShown;
  }

  update(step: Step): void {
    const now = performance.now();
    if (!this.#isShown || now - this.#drawnAt < redrawMs) return;
    this.#drawnAt = now;
    this.#clear();
    this.#output.write(this.#line(step, (now - this.#startedAt) / 1_000));
    this.#isDrawn = true;
  }

  /** Prints a sentence above the bar. */
  say(sentence: string): void {
    this.#clear();
    this.#output.write(`${escapeControls(sentence)}\n`);
  }

  end(): void {
    this.#clear();
  }

  #line({ messages, bytes, share }: Step, seconds: number): string {
    const parts = [this.#what];
    if (share !== undefined) {
      const done = Math.min(1, Math.max(0, share));
      const filled = Math.round(done * barWidth);
      parts.push(`[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${Math.floor(done * 100)}%`);
    }
    parts.push(`${messages.toLocaleString('en')} messages`, `${sizeOf(bytes / Math.max(seconds, 0.001))}/s`);
    return parts.join('  ').slice(0, this.#output.columns || 80);
  }

  #clear(): void {
    if (!this.#isDrawn) return;
    cursorTo(this.#output, 0);
    clearLine(this.#output, 0);
    this.#isDrawn = false;
  }
}

/** `12.3 MiB` */
export function sizeOf(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = bytes;
  let unit = 0;
  for (; size >= 1_024 && unit < units.length - 1; unit++) size /= 1_024;
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}
