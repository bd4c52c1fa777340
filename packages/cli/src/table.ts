import { painted, print, printPainted, type Style } from './output.ts';
import { escapeControls } from './display-text.ts';

export interface TableColumn {
  readonly title: string;
  /** Numbers are aligned to the right. */
  readonly isNumber?: boolean;
  readonly style?: Style;
}

/**
 * A table for the standard output. A terminal gets aligned columns with titles; a program gets tab-separated
 * rows.
 */
export class Table {
  readonly #columns: readonly TableColumn[];
  /** The width of each column, in characters: the longest cell so far. */
  #widths: readonly number[];
  #hasTitles = false;

  constructor(columns: readonly TableColumn[]) {
    this.#columns = columns;
    this.#widths = columns.map(({ title }) => title.length);
  }

  /** Prints rows. Each row has one cell for each column. */
  print(rows: readonly (readonly string[])[]): void {
    if (rows.length === 0) return;
    if (!process.stdout.isTTY) {
      print(...rows.map((cells) => cells.join('\t')));
      return;
    }
    const shown = rows.map((cells) => cells.map(escapeControls));
    this.#widths = this.#widths.map((width, column) =>
      Math.max(width, ...shown.map((cells) => cells[column]?.length ?? 0)),
    );
    const lines = shown.map((cells) => this.#line(cells, (column) => column.style));
    const titles = this.#columns.map(({ title }) => title);
    printPainted(...(this.#hasTitles ? [] : [this.#line(titles, () => 'bold')]), ...lines);
    this.#hasTitles = true;
  }

  #line(cells: readonly string[], styleOf: (column: TableColumn) => Style | undefined): string {
    const last = this.#columns.length - 1;
    return this.#columns
      .map((column, at) => {
        const [cell = '', width = 0] = [cells[at], this.#widths[at]];
        const padded =
          column.isNumber === true ? cell.padStart(width) : at === last ? cell : cell.padEnd(width);
        return painted(padded, styleOf(column));
      })
      .join('  ');
  }
}
