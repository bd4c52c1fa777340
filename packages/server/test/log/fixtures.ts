import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { temporaryDirectory } from '../../../cli/test/harness.ts';
import type { RuleSetting } from '../../src/config/rules.ts';

/** The expected content of a store, as read by the version that wrote it. */
export interface FixtureContent {
  /** The wall clock at that time, seconds after the store was written. */
  readonly takenAt: number;
  readonly rules: readonly RuleSetting[];
  readonly epoch: string;
  readonly head: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly messages: number;
    readonly lastOffset?: string;
    readonly lastTime?: number;
  }[];
  /** The sequences of all kept messages. */
  readonly kept: readonly number[];
  /** An export. A long line is represented by its hash. */
  readonly lines: readonly string[];
  readonly resumes: readonly {
    readonly topic: string;
    readonly sequence: number;
    readonly recovered: boolean;
    readonly replayed: number;
  }[];
  readonly ids: readonly {
    readonly topic: string;
    readonly messageJson: string;
    readonly id: string;
    readonly offset: string;
    readonly time: number;
  }[];
}

/** A store that an earlier version has written (`fixtures/make.mjs`). */
export class Fixture {
  readonly content: FixtureContent;
  readonly #compressed: Buffer;

  /** @param name - such as `format-1/stopped` */
  constructor(name: string) {
    const file = (ending: string): Buffer =>
      readFileSync(new URL(`fixtures/${name}${ending}`, import.meta.url));
    this.content = JSON.parse(file('.json').toString()) as FixtureContent;
    this.#compressed = file('.mdb.gz');
  }

  /** Unpacks it into a new data directory, by default for one test. */
  unpack(directory: string = join(temporaryDirectory(), 'data')): string {
    mkdirSync(directory);
    writeFileSync(join(directory, 'log.mdb'), gunzipSync(this.#compressed));
    return directory;
  }
}
