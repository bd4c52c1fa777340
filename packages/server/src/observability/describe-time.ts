/** The latest time that a `Date` can have. */
const latestMs = 8.64e15;

const units: readonly (readonly [string, number])[] = [
  ['year', 365 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
];

/** Formats a time for people, from milliseconds since 1970. */
export function describeTime(ms: number): string {
  return ms <= latestMs ? new Date(ms).toISOString() : `${ms} ms after 1970`;
}

/** Formats a duration for people, in its largest unit, such as `73 years`. */
export function describeDuration(ms: number): string {
  const [name, length] = units.find(([, unit]) => ms >= unit) ?? ['second', 1_000];
  const count = Math.round(ms / length);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
