export const cr = 0x0d;

/** The end of the line that begins at `start`, after its CR LF; -1 if it is not complete. */
export function lineEnd(bytes: Buffer, start: number): number {
  for (let at = start; at + 1 < bytes.length; at++) if (bytes[at] === cr) return at + 2;
  return -1;
}

/** The decimal number that ends before `end` and begins at `start` or later; NaN if there is none. */
export function decimalBefore(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  let unit = 1;
  let at = end - 1;
  for (; at >= start; at--) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value += digit * unit;
    unit *= 10;
  }
  return at === end - 1 ? Number.NaN : value;
}

/** Whether `expected` stands at `start`. */
export function isAt(bytes: Buffer, start: number, expected: Buffer): boolean {
  const end = start + expected.length;
  return end <= bytes.length && expected.compare(bytes, start, end) === 0;
}
