/** The units of a kind of values, with their factors, from the smallest. */
export type Units = Readonly<Record<string, number>>;

/** A plain number is in milliseconds. */
export const timeUnits: Units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A plain number is in bytes. KB and MB are not units: they can mean 1,000 or 1,024. */
export const sizeUnits: Units = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 };

/** Parses a whole number with a unit, such as `10s`. Undefined for any other text. */
export function parseWithUnit(text: string, units: Units): number | undefined {
  const [, number, unit = ''] = /^([0-9]{1,15})([A-Za-z]+)$/.exec(text) ?? [];
  const value = Object.hasOwn(units, unit) ? Number(number) * (units[unit] as number) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Formats a number with the largest unit in which it is a whole number: 600,000 ms are `10m`. */
export function formatWithUnit(value: number, units: Units): string {
  if (value === 0) return '0';
  const [unit, factor] = Object.entries(units).findLast(([, one]) => value % one === 0) ?? ['', 1];
  return `${value / factor}${unit}`;
}
