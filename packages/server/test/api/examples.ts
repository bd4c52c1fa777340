import type { OpenApiDocument } from '@fanfare/protocol/api';
import { connectClient, type RunningServer } from '../harness.ts';
import { operationsOf, type Exchange } from './judge.ts';
import { exampleRequests, send, type ApiRequest, type Headers } from './requests.ts';

/** The media types that the operations with several forms of a response offer. */
const accepted: Readonly<Record<string, readonly string[]>> = {
  '/publish': ['text/plain', 'application/json'],
  '/': ['text/plain', 'text/html'],
  '/metrics': ['text/plain', 'application/openmetrics-text'],
  '/messages': ['application/json', 'text/event-stream'],
  '/topics/{topic}/messages': ['application/json', 'text/event-stream'],
};

/** Requests that end what the other requests need. */
const last = new Set(['deleteTopic', 'deleteTopicByPath', 'endConnection']);

/** Sends all requests that the examples of the document make, in an order in which they can succeed. */
export async function sendExamples(
  { url, server }: RunningServer,
  document: OpenApiDocument,
  headers: Headers = {},
): Promise<readonly Exchange[]> {
  const exchanges: Exchange[] = [];
  const carryOut = async (request: ApiRequest): Promise<void> => {
    for (const accept of accepted[request.path] ?? ['*/*']) {
      const sent = { ...request, headers: { ...headers, accept, ...request.headers } };
      const { etag, ...exchange } = await send(url, sent);
      exchanges.push(exchange);
      if (etag === '') continue;
      exchanges.push(await send(url, { ...sent, headers: { ...sent.headers, 'if-none-match': etag } }));
    }
  };
  const all = operationsOf(document);
  const of = (id: string): ApiRequest[] =>
    all
      .filter(({ operation }) => operation.operationId === id)
      .flatMap(({ method, path, operation }) => exampleRequests(method, path, operation));
  // Declaring a topic is answered with 201 and then with 200.
  for (const id of ['declareTopicByPath', 'declareTopicByPath', 'deleteTopicByPath', 'declareTopic'])
    for (const request of of(id)) await carryOut(request);
  // Lists have entries, and the cursors of the examples point before some.
  await server.publish('orders', 'earlier');
  const token = headers['authorization']?.split(' ')[1];
  const client = await connectClient(url, 'websocket', token === undefined ? {} : { auth: { token } });
  for (const topic of ['orders', 'orders/**'])
    await client.emitWithAck('subscribe', { topic, envelope: true, from: 'earliest' });
  const known = { id: client.id ?? '' };
  const later = all.filter(({ operation }) => last.has(operation.operationId));
  for (const { method, path, operation } of all.filter((one) => !later.includes(one)))
    for (const request of exampleRequests(method, path, operation, known)) await carryOut(request);
  for (const { method, path, operation } of later)
    for (const request of exampleRequests(method, path, operation, known)) await carryOut(request);
  return exchanges;
}
