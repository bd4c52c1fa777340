import { clearScreenDown, createInterface, cursorTo, moveCursor, type Interface } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';

/**
 * Prompts and lines, with a person at a terminal or a program at a pipe. What is printed while a prompt waits
 * appears above it, and what was typed so far stays.
 */
export class Conversation {
  readonly isTerminal: boolean;
  readonly #output: NodeJS.WritableStream;
  readonly #readline: Interface;
  readonly #lines: AsyncIterator<string>;
  #isAsking = false;

  /** @param onInterrupt - called for Ctrl-C, which a terminal in this mode sends as a character */
  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream, onInterrupt: () => void) {
    this.isTerminal = isTty(input) && isTty(output);
    this.#output = output;
    this.#readline = createInterface({ input, output, terminal: this.isTerminal });
    this.#readline.on('SIGINT', onInterrupt);
    this.#lines = this.#readline[Symbol.asyncIterator]();
  }

  /** Asks for a line. Undefined when there are no more. */
  async ask(prompt: string): Promise<string | undefined> {
    if (this.isTerminal) {
      this.#readline.setPrompt(prompt);
      this.#readline.prompt();
    } else {
      // A line of its own, so that what comes after it begins a line too.
      this.#output.write(`${prompt}\n`);
    }
    this.#isAsking = true;
    const { value, done } = await this.#lines.next();
    this.#isAsking = false;
    if (!done) return value;
    if (this.isTerminal) this.#output.write('\n');
    return undefined;
  }

  print(text: string): void {
    const isPrompting = this.isTerminal && this.#isAsking;
    if (isPrompting) {
      moveCursor(this.#output, 0, -this.#readline.getCursorPos().rows);
      cursorTo(this.#output, 0);
      clearScreenDown(this.#output);
    }
    this.#output.write(`${text}\n`);
    if (isPrompting) this.#readline.prompt(true);
  }

  close(): void {
    this.#readline.close();
  }
}

function isTty(stream: NodeJS.ReadStream | NodeJS.WriteStream): stream is ReadStream & WriteStream {
  return stream.isTTY === true;
}
