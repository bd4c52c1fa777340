import { ref } from './json-schema.ts';
import { limit } from './message-operations.ts';
import { changeErrors, inJson, readErrors, type Operation, type Parameter } from './operation.ts';
import { cursor, topic } from './topic-operations.ts';
import { text } from './value-schemas.ts';

const connection: Parameter = {
  name: 'id',
  in: 'name',
  description: 'The id of the connection.',
  schema: text,
  example: 'tZ1sYpR0vQf2mXbKAAAB',
};

export const operatorOperations: readonly Operation[] = [
  {
    id: 'getIdentity',
    method: 'get',
    paths: ['/identity'],
    tag: 'Operating',
    summary: 'Get the identity of the client',
    description: 'Every client that the server accepts can send this request (PROTOCOL.md 5.10).',
    audience: 'clients',
    answers: { 200: { description: 'The identity.', content: inJson(ref('IdentityInfo')) } },
    errors: [],
  },
  {
    id: 'getStats',
    method: 'get',
    paths: ['/stats'],
    tag: 'Operating',
    summary: 'Get the figures of the server',
    description: 'Needs `admin` (PROTOCOL.md 5.11).',
    audience: 'admins',
    answers: { 200: { description: 'The figures.', content: inJson(ref('Stats')) } },
    errors: readErrors,
  },
  {
    id: 'getMetrics',
    method: 'get',
    paths: ['/metrics'],
    tag: 'Operating',
    summary: 'Get metrics for Prometheus',
    description:
      '`Accept` chooses between OpenMetrics and the text format. Needs `admin` (PROTOCOL.md 5.17).',
    audience: 'admins',
    answers: {
      200: {
        description: 'The metrics of this server.',
        content: { 'text/plain': { schema: text }, 'application/openmetrics-text': { schema: text } },
      },
    },
    errors: [],
  },
  {
    id: 'listConnections',
    method: 'get',
    paths: ['/connections'],
    tag: 'Operating',
    summary: 'List the connections',
    description: 'Needs `admin` (PROTOCOL.md 5.12).',
    audience: 'admins',
    parameters: [limit, cursor('IDA')],
    answers: { 200: { description: 'A page of connections.', content: inJson(ref('ConnectionPage')) } },
    errors: readErrors,
  },
  {
    id: 'getConnection',
    method: 'get',
    paths: ['/connections/{id}'],
    tag: 'Operating',
    summary: 'Get a connection and its subscriptions',
    description: 'Needs `admin` (PROTOCOL.md 5.12).',
    audience: 'admins',
    parameters: [connection],
    answers: { 200: { description: 'The connection.', content: inJson(ref('ConnectionDetails')) } },
    errors: ['connection_not_found', ...readErrors],
  },
  {
    id: 'endConnection',
    method: 'delete',
    paths: ['/connections/{id}'],
    tag: 'Operating',
    summary: 'End a connection',
    description: 'The client can connect again. Needs `admin` (PROTOCOL.md 5.13).',
    audience: 'admins',
    parameters: [connection],
    answers: { 204: { description: 'The connection has ended.' } },
    errors: ['connection_not_found', ...readErrors],
  },
  {
    id: 'listSubscribers',
    method: 'get',
    paths: ['/subscribers', '/topics/{topic}/subscribers'],
    tag: 'Operating',
    summary: 'List the subscriptions that get the messages of a topic',
    description: 'Needs `admin` (PROTOCOL.md 5.14).',
    audience: 'admins',
    parameters: [topic, limit, cursor('IDAg')],
    answers: { 200: { description: 'A page of subscribers.', content: inJson(ref('SubscriberPage')) } },
    errors: ['topic_name_invalid', 'topic_not_found', ...readErrors],
  },
  {
    id: 'reloadSettings',
    method: 'post',
    paths: ['/reload'],
    tag: 'Operating',
    summary: 'Reload the settings',
    description:
      'Either all changes that need no restart are in force, or nothing has changed. Needs `admin`. A server ' +
      'that has nothing to read its settings from does not have this path (PROTOCOL.md 5.19).',
    audience: 'admins',
    answers: { 200: { description: 'What has changed.', content: inJson(ref('Reloaded')) } },
    errors: ['not_found', 'settings_invalid'],
  },
  {
    id: 'revokeTokens',
    method: 'put',
    paths: ['/revocations', '/revocations/{subject}'],
    tag: 'Operating',
    summary: 'Revoke the tokens of a subject',
    description:
      'The server refuses all tokens of the subject that were issued until now, and ends its connections. ' +
      'Needs `admin`. On an open server, this path does not exist (PROTOCOL.md 7.9).',
    audience: 'admins',
    parameters: [
      {
        name: 'subject',
        in: 'name',
        description: 'The subject of the tokens.',
        schema: ref('Subject'),
        example: 'shop-7',
      },
    ],
    answers: { 200: { description: 'The revocation.', content: inJson(ref('Revocation')) } },
    errors: ['not_found', ...changeErrors],
  },
];
