import type { Processes } from '../processes.ts';
import { describeValues, renderTable } from '../table.ts';

export interface PartOptions {
  readonly processes: Processes;
  readonly rounds: number;
  readonly markdown: boolean;
  /** Whether to prove only that it works, in seconds, with small numbers. */
  readonly isSmall: boolean;
  readonly onProgress: (text: string) => void;
}

export interface PartResult {
  /** What to print. */
  readonly text: string;
  /** All figures of all rounds. */
  readonly figures: object;
}

/** One of the measurements of many nodes. */
export interface Part {
  /** Its name on the command line. */
  readonly id: string;
  readonly about: string;
  /** Which process runs on which processor, as sentences. */
  readonly placement: string;
  /** Rejects if something was delivered or acknowledged wrongly, or could not be measured. */
  run(options: PartOptions): Promise<PartResult>;
}

/** A column of a table of figures. */
export interface Column<Name extends string> {
  readonly name: Name;
  /** With its unit. */
  readonly title: string;
  readonly digits: number;
}

/** The figures of each round, by the name of their row. */
export type Rounds<Name extends string> = ReadonlyMap<string, readonly Readonly<Record<Name, number>>[]>;

/** A table with the median of the rounds, and the minimum and the maximum in parentheses. */
export function renderRounds<Name extends string>(
  { id, about }: Pick<Part, 'id' | 'about'>,
  columns: readonly Column<Name>[],
  rounds: Rounds<Name>,
  markdown: boolean,
): string {
  const header = ['', ...columns.map(({ title }) => title)];
  const rows = [...rounds].map(([label, values]) => {
    const cell = ({ name, digits }: Column<Name>): string =>
      describeValues(
        values.map((figures) => figures[name]),
        digits,
      );
    return [label].concat(columns.map(cell));
  });
  return renderTable(id, about, [header, ...rows], markdown);
}

/** Adds the figures of one more round to a row. */
export function addRound<Name extends string>(
  rounds: Map<string, Readonly<Record<Name, number>>[]>,
  label: string,
  figures: Readonly<Record<Name, number>>,
): void {
  rounds.set(label, [...(rounds.get(label) ?? []), figures]);
}
