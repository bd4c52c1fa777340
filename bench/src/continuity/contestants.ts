import { join } from 'node:path';
import { compiled } from '../paths.ts';
import type { Processes, Program, RunningServer } from '../processes.ts';
import { serve } from '../systems/fanfare.ts';
import type { SubscriberKind } from './subscribers.ts';

/** A server with its usual clients. */
export interface Contestant {
  readonly name: string;
  readonly subscriber: SubscriberKind;
  /** @param data - the folder for its messages */
  readonly program: (port: number, data: string) => Program;
}

const fanfare: Contestant['program'] = (port, data) => serve([`--port=${port}`, '--data', data]);

const socketIo =
  (recovery: '' | '1'): Contestant['program'] =>
  (port) => ({
    command: process.execPath,
    args: [compiled('servers/socket-io-recovery.js')],
    env: { PORT: String(port), RECOVERY: recovery },
    ready: /port (?<port>\d+)/,
  });

export const contestants: readonly Contestant[] = [
  { name: 'fanfare, SDK', subscriber: 'sdk', program: fanfare },
  { name: 'fanfare, resume rule', subscriber: 'rule', program: fanfare },
  { name: 'socket.io', subscriber: 'stock', program: socketIo('') },
  { name: 'socket.io, recovery', subscriber: 'stock', program: socketIo('1') },
];

export function startContestant(
  processes: Processes,
  { program }: Contestant,
  port: number,
  name: string,
): Promise<RunningServer> {
  return processes.startServer(program(port, join(processes.directory, name)));
}
