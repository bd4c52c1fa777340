import { readFileSync } from 'node:fs';
import type { Algorithm } from './algorithms.ts';
import { exposureOf } from './exposed-file.ts';
import { FileStamp, lookMs } from './file-stamp.ts';
import { KeyError, parseKeys, type VerificationKey } from './jwt-keys.ts';
import { KeySet } from './key-set.ts';

export interface KeyFileOptions {
  readonly path: string;
  readonly algorithm: Algorithm | undefined;
  /** Called after the keys have changed. */
  readonly onChange: () => void;
  /** Called if the changed file cannot be read. The last keys stay in use. */
  readonly onFailure: (error: Error) => void;
  /** Called with a warning, one sentence: other users can read a secret in the file. */
  readonly onWarning: (sentence: string) => void;
}

/** The keys of a file, which is read again when it changes. */
export class KeyFile {
  readonly #options: KeyFileOptions;
  readonly #stamp: FileStamp;
  readonly #timer: NodeJS.Timeout;
  #keys: KeySet;
  #isFailing = false;

  /** @throws KeyError if the file cannot be read */
  constructor(options: KeyFileOptions) {
    this.#options = options;
    this.#stamp = new FileStamp(options.path);
    this.#keys = new KeySet(this.#read());
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  get keys(): KeySet {
    return this.#keys;
  }

  /** Whether the changed file could not be read, so that the last keys stay in use. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (!this.#stamp.hasChanged()) return;
    const { onChange, onFailure } = this.#options;
    try {
      this.#keys = new KeySet(this.#read());
      this.#isFailing = false;
    } catch (error) {
      this.#isFailing = true;
      return onFailure(error as Error);
    }
    onChange();
  }

  #read(): readonly VerificationKey[] {
    const { path, algorithm, onWarning } = this.#options;
    let text: string;
    let exposure: string | undefined;
    try {
      text = readFileSync(path, 'utf8');
      exposure = exposureOf(path);
    } catch (error) {
      throw new KeyError(`The file cannot be read (${(error as NodeJS.ErrnoException).code}).`);
    }
    const keys = parseKeys(text, algorithm);
    // A public key need not be secret.
    if (exposure !== undefined && keys.some(({ key }) => key.type === 'secret')) onWarning(exposure);
    return keys;
  }
}
