import { connect, type ConnectOptions, type Envelope, type Fanfare, type Status } from '@fanfare/client';
import { expect, onTestFinished } from 'vitest';
import { until } from '../../../test/waits.ts';

export { BreakableNetwork } from '../../server/test/faults/breakable-network.ts';
export { publish, startServer } from '../../server/test/harness.ts';

/** A client, closed when the test ends. */
export function client(url: string, options: ConnectOptions = {}): Fanfare {
  const fanfare = connect(url, options);
  onTestFinished(() => fanfare.close());
  return fanfare;
}

/** Waits for something that may take a reconnect or two. */
export const eventually = (<T>(probe: () => T) =>
  expect.poll(probe, { interval: 10 })) satisfies typeof expect.poll;

/** The next so many messages. */
export async function take(iterator: AsyncIterator<Envelope>, count: number): Promise<unknown[]> {
  const messages: unknown[] = [];
  const step = async (): Promise<void> => {
    const next = (await iterator.next()) as IteratorResult<Envelope, undefined>;
    if (next.done === true) throw new Error(`it ended after ${JSON.stringify(messages)}`);
    messages.push(next.value.message);
  };
  const soFar = (): unknown => messages;
  await until(`${count} messages come`, () => messages.length >= count, { step, soFar });
  return messages;
}

/** Waits until a client is so. */
export async function becomes(fanfare: Fanfare, state: Status['state']): Promise<Status> {
  await eventually(() => fanfare.status.state).toBe(state);
  return fanfare.status;
}

/** The numbers from one on, up to but without another. */
export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}
