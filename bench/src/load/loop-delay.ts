import { connect } from 'node:net';

/** Event-loop delay of a server. */
export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The maximum, without delays caused by other processes on the processor. */
  readonly ownMaxMs: number;
}

/** Asks a server for the delays since the last request. */
export function takeLoopDelay(path: string): Promise<LoopDelay> {
  return new Promise((resolve, reject) => {
    let text = '';
    connect(path)
      .setEncoding('utf8')
      .on('data', (chunk: string) => (text += chunk))
      .once('end', () => resolve(JSON.parse(text) as LoopDelay))
      .once('error', reject);
  });
}
