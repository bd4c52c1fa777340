import { LogDamagedError, LogUnreachableError, LogUnwritableError } from '../topic-log.ts';

/** The log has to begin a new epoch before it can be read. */
export class NotAdoptedError extends LogUnreachableError {}

/** Turns an error of our functions, which begins with a word of ours, into an error of the log. */
export function errorOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const [, word, text = ''] =
    /\bFANFARE(ADOPT|DAMAGED|FORMAT|EVICTS|IMPORT) ([^\n]*)/.exec(error.message) ?? [];
  switch (word) {
    case 'ADOPT':
      return new NotAdoptedError(text, undefined, { cause: error });
    case 'DAMAGED':
      return new LogDamagedError(text, { cause: error });
    case 'FORMAT':
      return new LogUnwritableError(
        `${text} Use another prefix, or the version of Fanfare that wrote it.`,
        undefined,
        { cause: error },
      );
    case 'IMPORT':
      return new LogUnwritableError(text, undefined, { cause: error });
    case 'EVICTS':
      return new LogUnwritableError(`${text} Set it to noeviction.`, undefined, { cause: error });
    default:
      if (!error.message.includes('WRONGTYPE')) return error;
      return new LogDamagedError('A key of the log is of a wrong type.', { cause: error });
  }
}
