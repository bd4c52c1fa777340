import { clearScreenDown, createInterface, cursorTo, moveCursor, type Interface } from 'node:readline';
import { escapeControls } from './display-text.ts';

export interface InteractivePromptOptions {
  /** Whether a person types the input and sees the output. */
  readonly isTerminal: boolean;
  /** Called for Ctrl-C. In this mode, the terminal sends it as a character, not as a signal. */
  readonly onInterrupt: () => void;
}

/**
 * Asks for lines from a terminal or a pipe. Text that is printed while a prompt waits appears above it, and
 * the text typed so far stays.
 */
export class InteractivePrompt {
  readonly isTerminal: boolean;
  readonly #input: NodeJS.ReadStream;
  readonly #output: NodeJS.WriteStream;
  readonly #readline: Interface;
  /** Lines that arrived before they were asked for. */
  readonly #waiting: string[] = [];
  #answer: ((line: string | undefined) => void) | undefined;
  #isOver = false;

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream, options: InteractivePromptOptions) {
    const { isTerminal, onInterrupt } = options;
    this.isTerminal = isTerminal;
    this.#input = input;
    this.#output = output;
    this.#readline = createInterface({ input, output, terminal: this.isTerminal });
    this.#readline.on('SIGINT', onInterrupt);
    this.#readline.on('SIGCONT', () => this.#onContinue());
    this.#readline.on('line', (line) => this.#onLine(line));
    this.#readline.on('close', () => this.#onEnd());
  }

  /** Asks for a line. Undefined at the end of the input. */
  async ask(prompt: string): Promise<string | undefined> {
    const early = this.#waiting.shift();
    if (!this.isTerminal) this.#output.write(`${prompt}\n`);
    else if (early !== undefined) this.#output.write(`${prompt}${early}\n`);
    if (early !== undefined || this.#isOver) return early;
    if (this.isTerminal) {
      this.#readline.setPrompt(prompt);
      this.#readline.prompt();
    } else {
      this.#readline.resume();
    }
    return new Promise((resolve) => (this.#answer = resolve));
  }

  print(text: string): void {
    const isPrompting = this.isTerminal && this.#answer !== undefined;
    const rows = isPrompting ? this.#readline.getCursorPos().rows : 0;
    if (isPrompting) {
      moveCursor(this.#output, 0, -rows);
      cursorTo(this.#output, 0);
      clearScreenDown(this.#output);
    }
    // Readline moves up over the rows of the previous line. Without empty rows, it would overwrite the text.
    this.#output.write(`${this.#output.isTTY ? escapeControls(text) : text}\n${'\n'.repeat(rows)}`);
    if (isPrompting) this.#readline.prompt(true);
  }

  #onLine(line: string): void {
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer) answer(line);
    else this.#waiting.push(line);
    // A pipe may be far ahead, so pause it. A terminal is read on, because of Ctrl-C.
    if (!this.isTerminal) this.#readline.pause();
  }

  /** The program continues after Ctrl-Z and `fg`. */
  #onContinue(): void {
    if (this.#answer) this.#readline.prompt(true);
    else this.#readline.resume();
  }

  #onEnd(): void {
    this.#isOver = true;
    if (this.#answer && this.isTerminal) this.#output.write('\n');
    this.#answer?.(undefined);
    this.#answer = undefined;
  }

  close(): void {
    this.#readline.close();
    // An open pipe would keep the program running, even if nothing is read from it.
    this.#input.destroy();
  }
}
