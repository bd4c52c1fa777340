import { pino } from 'pino';

/** What the server needs of a logger; pino's has this shape. `fields` may be anything that can be printed. */
export interface Logger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What a terminal would obey, and JSON does not have to escape. Clients may have sent it. */
const obeyed = /[\u007f-\u009f]|\p{Bidi_Control}/gu;

/** Writes to standard error. */
export function defaultLogger(): Logger {
  const output = pino.destination(2);
  return pino({ name: 'fanfare' }, { write: (line: string) => void output.write(escaped(line)) });
}

/** The same JSON. */
function escaped(line: string): string {
  return line.replace(obeyed, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
