/** A hint for a misspelt name: ` Did you mean "port"?`, or an empty text if no name is similar. */
export function didYouMean(given: string, names: readonly string[]): string {
  const wanted = plain(given);
  // One edit for a short name, three for a long one.
  const editsMax = Math.max(1, Math.min(3, Math.floor(wanted.length / 4)));
  let [nearest, least]: [string | undefined, number] = [undefined, editsMax + 1];
  for (const name of names) {
    const known = plain(name);
    const isFar = Math.abs(known.length - wanted.length) > editsMax;
    const edits = isFar ? Infinity : editsBetween(wanted, known);
    if (edits < least) [nearest, least] = [name, edits];
  }
  return nearest === undefined ? '' : ` Did you mean ${JSON.stringify(nearest)}?`;
}

/** `key-file` and `KEY_FILE` mean `keyFile`. */
function plain(name: string): string {
  return name
    .replace(/^FANFARE_/, '')
    .toLowerCase()
    .replaceAll(/[-_.]/g, '');
}

/** The number of characters to insert, delete, replace, or swap with the next one. */
function editsBetween(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, at) => at)];
  const cell = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    rows.push(next);
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      next.push(
        Math.min(
          cell(row - 1, column - 1) + (isSame ? 0 : 1),
          cell(row - 1, column) + 1,
          cell(row, column - 1) + 1,
          isSwapped ? cell(row - 2, column - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return cell(one.length, other.length);
}
