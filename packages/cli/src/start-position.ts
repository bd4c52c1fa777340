import { parseOffset } from '@fanfare/protocol';

/**
 * Where to start, as given on the command line: for the event `subscribe`, and for the query of a request.
 */
export interface StartPosition {
  readonly from: string | { readonly last: number } | { readonly time: number };
  readonly query: Readonly<Record<string, string>>;
}

/** For help texts. */
export const startPositionForms =
  'new, earliest, last, last:N (the newest N of each topic), an offset, a time such as 2026-01-31T08:00, or 10m (ago)';

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Parses the value of `--from`.
 *
 * @param now - in milliseconds since 1970
 * @returns undefined if the text is none of {@link startPositionForms}
 */
export function parseStartPosition(text: string, now: number): StartPosition | undefined {
  if (text === 'new' || text === 'earliest' || text === 'last' || parseOffset(text))
    return { from: text, query: { from: text } };
  const [, name, number] = /^(last|time)[:=]([0-9]{1,15})$/.exec(text) ?? [];
  if (name === 'last') return { from: { last: Number(number) }, query: { last: `${number}` } };
  const time = name === 'time' ? Number(number) : (timeAgo(text, now) ?? timeIn(text));
  return time === undefined ? undefined : { from: { time }, query: { time: String(time) } };
}

/** Parses a time before now: `10m` is ten minutes ago. */
function timeAgo(text: string, now: number): number | undefined {
  const [, number, unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  return Math.max(0, now - Number(number) * (unitMs[unit] ?? 0));
}

/** Parses a day or a time of ISO 8601. Without a time zone, it is in that of this machine. */
function timeIn(text: string): number | undefined {
  const [, day, time = 'T00:00'] =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2})([T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?$/.exec(
      text,
    ) ?? [];
  if (day === undefined) return undefined;
  const zoned = time.replace(',', '.').replace(/([+-][0-9]{2})([0-9]{2})$/, '$1:$2');
  const ms = Date.parse(`${day}T${zoned.slice(1)}`);
  return Number.isNaN(ms) || ms < 0 ? undefined : ms;
}
