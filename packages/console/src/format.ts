const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

export function formatCount(count: number): string {
  return whole.format(Math.round(count));
}

/** Formats a rate. Only small rates have decimals. */
export function formatRate(perSecond: number): string {
  return perSecond >= 100 ? whole.format(Math.round(perSecond)) : short.format(perSecond);
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let at = 0;
  while (value >= 1_024 && at < units.length - 1) {
    value /= 1_024;
    at++;
  }
  return `${at === 0 ? whole.format(value) : short.format(value)} ${units[at]}`;
}

export function formatMs(ms: number): string {
  return ms >= 10 ? `${whole.format(Math.round(ms))} ms` : `${short.format(ms)} ms`;
}

/** Formats a duration in its largest unit, such as `3 min`. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

/** `14:03:07.125`, in local time. */
export function formatClock(time: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '–';
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** Formats a time with its date, for times that may be of another day. */
export function formatTime(time: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '–';
  return date.toLocaleString('sv');
}

/** `1 message`, `2 messages`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
