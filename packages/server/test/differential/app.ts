import type { RequestListener, Server } from 'node:http';

/** The limits that all ends of the differential run have in common. */
export const limits = { packetBytesMax: 265_536, loginTimeoutMs: 45_000 } as const;

/** The answer to requests that are not for the end. */
export const notFound: RequestListener = (_request, response) => void response.writeHead(404).end();

/** A server end with the app of the differential run. */
export interface StartedEnd {
  /** It does not listen: the test gives it connections. */
  readonly http: Server;
  stop(): void;
}

/** One client of an end, as far as the app of the differential run needs it. */
export interface AppClient {
  emit(event: string, ...args: readonly unknown[]): void;
  /** Sends a packet DISCONNECT, and closes the connection. */
  disconnect(): void;
  /** Closes the connection. */
  close(): void;
}

/** The number of events that one event of the client can cause. More than a polling response may have. */
const many = 40;

/** The message for a client that the app refuses, or undefined. */
export function refusalOf(auth: unknown): string | undefined {
  const { token } = (auth ?? {}) as { readonly token?: unknown };
  return token === 'bad' ? 'The token is bad.' : undefined;
}

/**
 * What the app of every end does with an event. It answers each event, so that everything that the end has
 * read of a packet can be compared.
 *
 * @param acknowledge - undefined if the client did not ask for an acknowledgement
 */
export function onEvent(
  client: AppClient,
  event: string,
  args: readonly unknown[],
  acknowledge: ((...args: readonly unknown[]) => void) | undefined,
): void {
  switch (event) {
    case 'quiet':
      return;
    case 'many':
      for (let number = 0; number < many; number++) client.emit('number', number);
      return;
    case 'leave':
      return client.disconnect();
    case 'end':
      return client.close();
    default: {
      const read = args.map(inWords);
      if (acknowledge) acknowledge(event, ...read);
      else client.emit('heard', event, ...read);
    }
  }
}

/** A value without binary data: an answer with binary data would be about the end's encoder. */
function inWords(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_name, each: unknown) => (isBuffer(each) ? `binary ${hexOf(each)}` : each)) ??
      'null',
  );
}

/** A buffer is given to a replacer as what its `toJSON` returns. */
interface BufferJson {
  readonly type: 'Buffer';
  readonly data: readonly number[];
}

function isBuffer(value: unknown): value is BufferJson {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    value.type === 'Buffer' &&
    'data' in value
  );
}

function hexOf({ data }: BufferJson): string {
  return Buffer.from(data).toString('hex');
}
