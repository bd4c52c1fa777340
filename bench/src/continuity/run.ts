import { freePort } from '../free-port.ts';
import type { Processes } from '../processes.ts';
import { lastMarker } from './clients-job.ts';
import { Clients } from './clients-process.ts';
import { startContestant, type Contestant } from './contestants.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import type { Interruption, Span } from './interruptions.ts';
import { judge, type Verdict } from './judge.ts';
import { Publisher } from './publisher.ts';

export interface RunOptions {
  readonly processes: Processes;
  readonly subscribers: number;
  readonly messagesPerSecond: number;
  readonly span: Span;
}

const firstMarker = -1;

/** Publishes while the subscribers are interrupted, and judges what they got in the end. */
export async function runContinuity(
  contestant: Contestant,
  interruption: Interruption,
  { processes, subscribers: count, messagesPerSecond, span }: RunOptions,
): Promise<Verdict> {
  const port = await freePort();
  const data = `continuity-${port}`;
  let server = await startContestant(processes, contestant, port, data);
  const proxy = await CuttingProxy.to(port);
  interruption.prepare?.(proxy);
  const { transport } = interruption;
  const clients = new Clients(processes, {
    kind: contestant.subscriber,
    url: `http://127.0.0.1:${proxy.port}`,
    count,
    transport,
  });
  try {
    await clients.mark(port, firstMarker);
    const publisher = new Publisher(port, messagesPerSecond);
    await interruption.run({
      proxy,
      span,
      restartServer: async () => {
        await server.stop();
        server = await startContestant(processes, contestant, port, data);
      },
      signalClients: (signal) => clients.signal(signal),
    });
    const published = await publisher.stop();
    await clients.mark(port, lastMarker);
    return judge(await clients.received(), published);
  } finally {
    clients.stop();
    proxy.close();
    await server.stop();
  }
}
