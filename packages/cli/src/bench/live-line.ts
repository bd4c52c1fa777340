import { clearLine, cursorTo } from 'node:readline';

/** A line at the bottom of a terminal that changes. Without a terminal, nothing is shown. */
export class LiveLine {
  readonly #output = process.stderr;
  #isDrawn = false;

  show(text: string): void {
    if (!this.#output.isTTY) return;
    this.clear();
    this.#output.write(text.slice(0, (this.#output.columns || 80) - 1));
    this.#isDrawn = true;
  }

  clear(): void {
    if (!this.#isDrawn) return;
    cursorTo(this.#output, 0);
    clearLine(this.#output, 0);
    this.#isDrawn = false;
  }
}
