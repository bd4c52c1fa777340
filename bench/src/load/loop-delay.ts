import { connect } from 'node:net';

/** How late a server's event loop was. */
export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The most that is not due to other processes' having the processor. */
  readonly ownMaxMs: number;
}

/** Asks a server for the delays since the last time that it was asked. */
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
