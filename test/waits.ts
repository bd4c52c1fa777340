import { setTimeout as passed } from 'node:timers/promises';
import { inspect } from 'node:util';

/** The time limit for an event that takes milliseconds on a quiet machine. */
export const soonMs = 30_000;

// These are kept before a test replaces them with a fake clock.
const { setTimeout, clearTimeout, setImmediate } = globalThis;
const now = performance.now.bind(performance);

/** An object with events: Node's emitters, and the clients of Socket.IO. */
interface Emitter {
  // Only the names of events matter here: each kind of object types its listeners differently.
  readonly once: unknown;
}

interface AnyEmitter {
  once(event: string, listener: (argument: never) => void): unknown;
}

/**
 * Rejects with a sentence when a promise takes too long. The error's stack begins where the wait
 * stands in the test.
 *
 * @param what - a sentence about the expected event, "the server closes the connection"
 * @param soFar - what has come of it when the time is over
 */
export function within<T>(
  ms: number,
  what: string,
  promise: PromiseLike<T> | (() => PromiseLike<T>),
  soFar?: () => unknown,
): Promise<T> {
  const late = new Error();
  Error.captureStackTrace(late, within);
  const result = bounded(late, ms, `not within ${ms} ms: ${what}`, promise, soFar);
  // A test that fails earlier does not wait for it any more.
  result.catch(() => {});
  return result;
}

/**
 * The first argument of the next event of a name.
 *
 * @param what - a sentence with the reason of the event, "the server lets its clients go"
 */
export function nextEvent<T = unknown>(
  emitter: Emitter,
  name: string,
  what: string,
  ms: number = soonMs,
): Promise<T> {
  const late = new Error();
  Error.captureStackTrace(late, nextEvent);
  const event = new Promise<T>((resolve) => (emitter as AnyEmitter).once(name, resolve));
  const result = bounded(late, ms, `no \`${name}\` event within ${ms} ms: ${what}`, event);
  result.catch(() => {});
  return result;
}

/**
 * Takes steps until a condition holds. By default, a step is a turn of the event loop, and later a
 * millisecond: a test that waits for another process must not take the processor from it.
 *
 * @param what - a sentence about the condition, "all 300 packets come"
 * @param soFar - what has come of it when the time is over
 */
export async function until(
  what: string,
  holds: () => boolean | PromiseLike<boolean>,
  { step = turns(), soFar, ms = soonMs }: UntilOptions = {},
): Promise<void> {
  const late = new Error();
  Error.captureStackTrace(late, until);
  const endsAt = now() + ms;
  const text = `not within ${ms} ms: ${what}`;
  for (;;) {
    const held = holds();
    const leftMs = endsAt - now();
    if (typeof held === 'boolean' ? held : await bounded(late, leftMs, text, held, soFar)) return;
    // A step can complete at once each time, so that no timer would ever fire.
    if (leftMs <= 0) throw tell(late, text, soFar);
    await bounded(late, leftMs, text, step, soFar);
  }
}

interface UntilOptions {
  readonly step?: () => PromiseLike<unknown>;
  readonly soFar?: () => unknown;
  readonly ms?: number;
}

/**
 * Collects all values of an iterable, or a number of them, and then leaves it.
 *
 * @param what - a sentence about the expected values, "the subscription brings three messages"
 */
export async function collect<T>(
  what: string,
  iterable: AsyncIterable<T>,
  { count = Infinity, ms = soonMs }: { readonly count?: number; readonly ms?: number } = {},
): Promise<T[]> {
  const collected: T[] = [];
  const all = async (): Promise<T[]> => {
    for await (const each of iterable) if (collected.push(each) >= count) break;
    return collected;
  };
  return within(ms, what, all, () => collected);
}

/** Lets time pass, for tests about time. A comment beside each call says why no event can be awaited. */
export async function sleep(ms: number): Promise<void> {
  await passed(ms);
}

interface Listening {
  listen(port: number, host: string, listener: () => void): unknown;
  address(): string | { readonly port: number } | null;
}

/** Listens on a free port of this machine. @returns the port */
export async function startListening(server: Listening): Promise<number> {
  await within(soonMs, 'a server of the test listens', () => {
    return new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`it listens at ${address}`);
  return address.port;
}

/** The steps of a wait: first turns of the event loop, then milliseconds. */
function turns(): () => Promise<void> {
  let taken = 0;
  return () =>
    new Promise((resolve) => void (++taken > 100 ? setTimeout(resolve, 1) : setImmediate(resolve)));
}

async function bounded<T>(
  late: Error,
  ms: number,
  text: string,
  promise: PromiseLike<T> | (() => PromiseLike<T>),
  soFar?: () => unknown,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tell(late, text, soFar)), ms);
  });
  try {
    return await Promise.race([typeof promise === 'function' ? promise() : promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function tell(late: Error, text: string, soFar: (() => unknown) | undefined): Error {
  late.message =
    soFar === undefined
      ? text
      : `${text}; so far: ${inspect(soFar(), { maxArrayLength: 20, maxStringLength: 2_000 })}`;
  return late;
}
