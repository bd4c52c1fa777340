import { asyncApi, type AsyncApiDocument, type Schema } from '@fanfare/protocol/api';
import { io, type Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DocumentSchemas, withoutOtherFields } from '../../../../test/api-schemas.ts';
import { nextEvent, soonMs, within } from '../../../../test/waits.ts';
import { secret, tokenFor } from '../access/tokens.ts';
import { commandNames, renewal } from '../../src/clients/commands.ts';
import { connectClient, startServer, type RunningServer } from '../harness.ts';
import { tcpOf } from '../slow-reader.ts';

/** A message that came over a socket, and its place in the document. */
interface Arrival {
  readonly channel: string;
  readonly message: 'acknowledgement' | 'refusal' | 'event';
  readonly payload: unknown;
}

class EventJudge {
  readonly #schemas: DocumentSchemas;

  constructor(document: AsyncApiDocument) {
    this.#schemas = new DocumentSchemas(withoutOtherFields(document));
  }

  faults({ channel, message, payload }: Arrival): string[] {
    const path = ['channels', channel, 'messages', message, 'payload'];
    return this.#schemas.faults(path, payload).map((fault) => `${channel} ${message}: ${fault}`);
  }
}

/** The channel of an event of the server. */
function channelOf(document: AsyncApiDocument, event: string): string {
  const [name] = Object.entries(document.channels).find(([, { address }]) => address === event) ?? [];
  return name ?? 'deliverPlain';
}

const commandsIn = ({ channels, operations }: AsyncApiDocument): string[] =>
  Object.entries(operations)
    .filter(([, { action }]) => action === 'receive')
    .map(([name]) => channels[name]?.address ?? '');

/** Requests that are refused, with their error codes. */
const refused: readonly (readonly [event: string, code: string, argument: unknown])[] = [
  ['subscribe', 'bad_request', {}],
  ['subscribe', 'topic_name_invalid', { topic: '' }],
  ['subscribe', 'topic_name_reserved', { topic: 'message' }],
  ['unsubscribe', 'topic_name_invalid', { topic: '$a' }],
  ['unsubscribe', 'bad_request', { topic: 'a', envelope: 1 }],
  ['publish', 'topic_not_found', { topic: 'unknown', message: 1 }],
  ['publish', 'id_conflict', { topic: 'orders', message: 'other', id: 'order-9-created' }],
  ['publish', 'bad_request', { topic: 'orders' }],
  ['publish', 'payload_too_large', { topic: 'orders', message: 'x'.repeat(140_000) }],
  ['token', 'bad_request', {}],
];

/** Sends the examples of the document and requests that are refused, and provokes the server's events. */
async function exchange(
  document: AsyncApiDocument,
  { url, server }: RunningServer,
): Promise<readonly Arrival[]> {
  const arrivals: Arrival[] = [];
  const token = await tokenFor({ admin: true });
  const client = await connectClient(url, 'websocket', { auth: { token } });
  client.onAny((event: string, payload: unknown) => {
    arrivals.push({ channel: channelOf(document, event), message: 'event', payload });
  });
  const emit = async (channel: string, argument: unknown): Promise<unknown> => {
    const payload = (await client.emitWithAck(channel, argument)) as { ok: boolean };
    arrivals.push({ channel, message: payload.ok ? 'acknowledgement' : 'refusal', payload });
    return payload;
  };
  await server.declare('orders/7');
  for (const channel of commandsIn(document)) {
    for (const { payload } of document.channels[channel]?.messages['request']?.examples ?? [])
      await emit(channel, payload);
  }
  for (const [event, code, argument] of refused)
    expect(await emit(event, argument)).toMatchObject({ ok: false, error: { code } });
  await emit('token', { token });
  await provokeEvents(client, server);
  return arrivals;
}

/** Makes the server send deliveries of both forms, a change of state, a gap, and an error. */
async function provokeEvents(client: Socket, server: RunningServer['server']): Promise<void> {
  await client.emitWithAck('subscribe', { topic: 'kept/**', envelope: true });
  await client.emitWithAck('subscribe', { topic: 'orders' });
  const plain = nextEvent(client, 'orders', 'the plain message comes');
  await server.publish('orders', { item: 'tea' });
  await plain;
  const live = nextEvent(client, 'state', 'the subscription is live');
  for (let at = 0; at < 3; at++) await server.publish('kept/1', at, { create: true });
  await client.emitWithAck('subscribe', { topic: 'kept/1', envelope: true, from: 'earliest' });
  await live;
  // More than the kernel buffers for a connection that is not read.
  await client.emitWithAck('subscribe', { topic: 'none', envelope: true });
  tcpOf(client).pause();
  for (let at = 0; at < 200; at++) await server.publish('none', 'x'.repeat(100_000));
  const gap = nextEvent(client, 'gap', 'the gap is reported');
  tcpOf(client).resume();
  await gap;
  const error = nextEvent(client, 'error', 'the refusal comes as an event');
  client.emit('subscribe', {});
  await error;
}

/** The reason why a client may not connect. */
async function refusedLogin(url: string, token: string): Promise<Arrival> {
  const client = io(url, { auth: { token }, transports: ['websocket'], forceNew: true, reconnection: false });
  onTestFinished(() => void client.close());
  const error = await within(
    soonMs,
    'the connection is refused',
    new Promise<Error & { data?: unknown }>((resolve) => client.once('connect_error', resolve)),
  );
  const payload = { message: error.message, data: error.data };
  return { channel: 'refuseConnection', message: 'event', payload };
}

const options = {
  memory: true,
  key: secret,
  publishBytesMax: 131_072,
  outboxBytesMax: 500_000,
  rules: [{ match: 'none', keep: 'none' as const, create: 'publish' as const }],
};

describe('the AsyncAPI document', () => {
  it('the AsyncAPI document has exactly the commands of the server', () => {
    expect(commandsIn(asyncApi('1.2.3')).toSorted()).toEqual([...commandNames, renewal].toSorted());
  });

  it('the acknowledgements and events of a server are as the AsyncAPI document says', async () => {
    const server = await startServer(options);
    const document = (await (await fetch(`${server.url}/asyncapi.json`)).json()) as AsyncApiDocument;
    expect(document).toEqual(asyncApi(document.info.version));
    const arrivals = [
      ...(await exchange(document, server)),
      await refusedLogin(server.url, 'none'),
      await refusedLogin(server.url, await tokenFor({ exp: -100, iat: -200 })),
    ];
    const judge = new EventJudge(document);
    expect(arrivals.flatMap((arrival) => judge.faults(arrival))).toEqual([]);
    const seen = new Set(arrivals.map(({ channel, message }) => `${channel} ${message}`));
    const documented = Object.entries(document.channels).flatMap(([channel, { messages }]) =>
      Object.keys(messages)
        .filter((message) => message !== 'request')
        .map((message) => `${channel} ${message}`),
    );
    expect([...seen].toSorted()).toEqual(documented.toSorted());
    expect(undetected(document, arrivals)).toEqual([]);
  });
});

/**
 * The required fields that a wrong document can lack, or describe wrongly, without a fault of these arrivals.
 */
function undetected(document: AsyncApiDocument, arrivals: readonly Arrival[]): string[] {
  const { schemas } = document.components;
  const missed: string[] = [];
  for (const [name, schema] of Object.entries(schemas)) {
    if (name.endsWith('Request')) continue;
    for (const field of schema.required ?? []) {
      const { [field]: _, ...others } = schema.properties ?? {};
      const wrongs: Schema[] = [
        { ...schema, properties: others },
        { ...schema, properties: { ...schema.properties, [field]: { const: 'a wrong value' } } },
      ];
      for (const wrong of wrongs) {
        const components = { ...document.components, schemas: { ...schemas, [name]: wrong } };
        const judge = new EventJudge({ ...document, components });
        if (!arrivals.some((arrival) => judge.faults(arrival).length > 0)) missed.push(`${name}.${field}`);
      }
    }
  }
  return missed;
}
