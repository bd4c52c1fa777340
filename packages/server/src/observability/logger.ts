import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { pino } from 'pino';
import { lineForPeople } from './line-for-people.ts';
import type { LogLevel } from './log-levels.ts';

/**
 * The logger that the server uses. A pino logger has this shape. `fields` can be any object that can be
 * printed.
 */
export interface Logger {
  info?(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Control characters that JSON does not escape and that have an effect in a terminal. Clients can send them.
 */
const obeyed = /[\u007f-\u009f]|\p{Bidi_Control}/gu;

/** The loggers of servers that have none of an app, by which the level can change. */
const own = new WeakMap<Logger, { level: string }>();

/** A logger that writes to standard error: lines for people on a terminal, and otherwise lines of JSON. */
export function defaultLogger(level: LogLevel = 'info'): Logger {
  const format = isatty(2) ? lineForPeople : (line: string): string => line;
  const write = (line: string): void => writeToStderr(escaped(format(line)));
  const logger = pino({ name: 'fanfare', level }, { write });
  own.set(logger, logger);
  return logger;
}

/** Changes the level, unless the logger is an app's. */
export function setLogLevel(logger: Logger, level: LogLevel): void {
  const changed = own.get(logger);
  if (changed) changed.level = level;
}

/**
 * A terminal can be closed, and a pipe can have lost its reader: the server goes on without its log. pino's
 * own destination would try again for ever when the process exits.
 */
function writeToStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // There is nobody to tell.
  }
}

/** Escapes these characters. In JSON, the value does not change. */
function escaped(line: string): string {
  return line.replace(obeyed, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
