import { pino } from 'pino';

/** What the server needs of a logger; pino's has this shape. `fields` may be anything that can be printed. */
export interface Logger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Writes to standard error. */
export function defaultLogger(): Logger {
  return pino({ name: 'fanfare' }, pino.destination(2));
}
