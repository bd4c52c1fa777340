/** How the programs end, for scripts. Documented in docs/cli.md. */
export const exitCodes = {
  ok: 0,
  /** The server refused what was asked of it. */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** There is no server, it went away, or it is none of ours. */
  unreachable: 3,
  /** What `serve` has stored is damaged. */
  damaged: 4,
  /** Another server has taken the data directory of `serve`. */
  lost: 5,
  /** 128 + the signal's number, as a shell has it. */
  hungUp: 129,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143,
} as const;

/** Ends the program with a sentence for people and a code for scripts. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
