import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../../cli/test/harness.ts';

const source = fileURLToPath(new URL('power-cut.c', import.meta.url));

export interface Disk {
  /** Also writes half of the unsynced data, chosen by this seed. */
  readonly early?: number;
  /** Ignores syncs. */
  readonly isLying?: boolean;
}

/** A data directory, and a copy with what a disk would have of it after a power cut. */
export class UnreliableDisk {
  readonly data: string;
  readonly #shadow: string;
  readonly #library: string;

  constructor() {
    const directory = temporaryDirectory();
    this.data = join(directory, 'data');
    this.#shadow = join(directory, 'shadow');
    this.#library = join(directory, 'power-cut.so');
    mkdirSync(this.data);
    mkdirSync(this.#shadow);
    const compiled = spawnSync(
      'gcc',
      [
        '-shared',
        '-fPIC',
        '-O2',
        '-Wall',
        '-Wextra',
        '-Werror',
        '-o',
        this.#library,
        source,
        '-ldl',
        '-lpthread',
      ],
      { encoding: 'utf8' },
    );
    if (compiled.status !== 0) throw new Error(`power-cut.c: ${compiled.stderr}`);
  }

  /** The reason why such a disk is not possible here. */
  static get missing(): string | undefined {
    if (process.platform !== 'linux') return 'LD_PRELOAD is for Linux';
    return spawnSync('gcc', ['--version']).status === 0
      ? undefined
      : 'there is no gcc to compile power-cut.c with';
  }

  /** The environment of a program that writes to this disk. */
  env({ early, isLying = false }: Disk = {}): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: this.#library,
      POWER_CUT_DATA: this.data,
      POWER_CUT_SHADOW: this.#shadow,
      ...(early !== undefined && { POWER_CUT_EARLY: String(early) }),
      ...(isLying && { POWER_CUT_LIE: '1' }),
      // Writes through io_uring cannot be intercepted.
      UV_USE_IO_URING: '0',
    };
  }

  /** Loses the data that was not synced. All writers must have ended. */
  cut(): void {
    if (existsSync(join(this.#shadow, 'mapped'))) {
      throw new Error('the data is written to through a mapping, where this disk cannot follow');
    }
    rmSync(this.data, { recursive: true });
    cpSync(this.#shadow, this.data, { recursive: true });
  }
}
