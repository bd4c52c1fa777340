import { painted, print, printPainted, type Style } from './output.ts';
import { escapeControls } from './display-text.ts';

export interface TableColumn {
  readonly title: string;
  /** Numbers end where their title ends. */
  readonly isNumber?: boolean;
  readonly style?: Style;
}

/** Rows for people, with titles, where they go to a terminal; and between tabulators for programs. */
export class Table {
  readonly #columns: readonly TableColumn[];
  /** Columns are as wide as what has come so far needs. */
  #widths: readonly number[];
  #hasTitles = false;

  constructor(columns: readonly TableColumn[]) {
    this.#columns = columns;
    this.#widths = columns.map(({ title }) => title.length);
  }

  /** Writes rows, each of a cell for each column. */
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
