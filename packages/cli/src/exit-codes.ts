/** The exit codes of the commands, for scripts. docs/cli.md documents them. */
export const exitCodes = {
  ok: 0,
  /** The server refused the request. */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The server cannot be reached, or it is not a Socket.IO server. */
  unreachable: 3,
  /** The data directory of `serve` is damaged. */
  damaged: 4,
  /** Another server has taken over the data directory of `serve`. */
  lost: 5,
  /** The server does not know whether it published a message. */
  unknown: 6,
  /** 128 plus the number of the signal, like a shell. */
  hungUp: 129,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143,
} as const;

/** Ends the program with an error message and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
