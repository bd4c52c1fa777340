import type { AsyncApiDocument, Channel, Reference } from './documents.ts';
import { commands, deliveries, type Command, type Delivery } from './events.ts';
import { ref } from './json-schema.ts';
import { schemasIn } from './schemas.ts';

type Operations = AsyncApiDocument['operations'];

const intro = `The events of a Fanfare server over Socket.IO. PROTOCOL.md of Fanfare is the contract, and this document describes it for tools.

- A channel is an event of Socket.IO in the namespace \`/\`. Its address is the name of the event. Each event has one argument, the payload.
- Operations are those of the server: it receives what clients emit, and sends what clients get.
- A reply is the acknowledgement of an event. A client that asks for none gets only refusals, as the event \`error\`.
- The document \`/openapi.json\` describes the HTTP API.
- \`x-utf8BytesMax\` is the maximum length of a string in bytes of UTF-8. \`x-levelsMax\` is the maximum number of levels of arrays and objects.`;

/** Builds the AsyncAPI document. It is the same for all servers of a version. */
export function asyncApi(version: string): AsyncApiDocument {
  const channels: Record<string, Channel> = Object.fromEntries<Channel>([
    ...commands.map((command): [string, Channel] => [command.name, describeCommand(command)]),
    ...deliveries.map((delivery): [string, Channel] => [delivery.id, describeDelivery(delivery)]),
  ]);
  const operations: Operations = Object.fromEntries<Operations[string]>([
    ...commands.map(receive),
    ...deliveries.map(({ id, summary }): [string, Operations[string]] => [
      id,
      { action: 'send', channel: channel(id), summary, messages: [message(id, 'event')] },
    ]),
  ]);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Fanfare',
      version,
      description: intro,
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    defaultContentType: 'application/json',
    servers: {
      fanfare: {
        host: '{host}',
        protocol: 'ws',
        pathname: '/socket.io/',
        description: 'Socket.IO 4 (Engine.IO 4) over a websocket or HTTP polling.',
        variables: { host: { default: 'localhost:5000', description: 'The host and the port.' } },
        security: [{ $ref: '#/components/securitySchemes/token' }],
      },
    },
    channels,
    operations,
    components: {
      schemas: schemasIn(channels),
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'Needed if the server has a key. Socket.IO clients send it as `auth: {token}` (PROTOCOL.md 7.2).',
        },
      },
    },
  };
}

function describeCommand({ name, summary, argument, examples, acknowledgement, errors }: Command): Channel {
  return {
    address: name,
    summary,
    messages: {
      request: {
        name,
        summary: 'The argument of the event.',
        payload: argument,
        examples: examples.map((payload, at) => ({ name: `example${at + 1}`, payload })),
      },
      acknowledgement: { name: 'acknowledgement', summary: 'It was done.', payload: acknowledgement },
      refusal: {
        name: 'refusal',
        summary: 'It was refused.',
        payload: {
          allOf: [ref('Refused')],
          properties: { error: { properties: { code: { enum: errors } } } },
        },
      },
    },
  };
}

function describeDelivery({ name, summary, argument, examples, parameters }: Delivery): Channel {
  return {
    address: name,
    summary,
    ...(parameters && { parameters }),
    messages: {
      event: {
        name,
        summary,
        payload: argument,
        ...(examples && { examples: examples.map((payload, at) => ({ name: `example${at + 1}`, payload })) }),
      },
    },
  };
}

function receive({ name, summary }: Command): [string, Operations[string]] {
  return [
    name,
    {
      action: 'receive',
      channel: channel(name),
      summary,
      messages: [message(name, 'request')],
      reply: {
        channel: channel(name),
        messages: [message(name, 'acknowledgement'), message(name, 'refusal')],
      },
    },
  ];
}

function channel(name: string): Reference {
  return { $ref: `#/channels/${name}` };
}

function message(of: string, name: string): Reference {
  return { $ref: `#/channels/${of}/messages/${name}` };
}
