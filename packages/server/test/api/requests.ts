import { request as sendRequest } from 'node:http';
import type { HttpOperation, OpenApiDocument } from '@fanfare/protocol/api';
import { soonMs, within } from '../../../../test/waits.ts';
import { operationsOf, type Exchange } from './judge.ts';

export type Headers = Readonly<Record<string, string>>;

/** A request of an operation of the document. */
export interface ApiRequest {
  readonly method: string;
  /** The path in the document. */
  readonly path: string;
  /** The path and the query that are sent. */
  readonly target: string;
  readonly headers: Headers;
  readonly body?: string;
}

/** Sends a request, and reads the response to its end. A stream is cut after its first event. */
export async function send(
  url: string,
  { method, path, target, headers, body }: ApiRequest,
): Promise<Exchange & { etag: string }> {
  const exchange = new Promise<Exchange & { etag: string }>((resolve, reject) => {
    const request = sendRequest(`${url}${target}`, { method, headers, agent: false }, (response) => {
      const [named = ''] = (response.headers['content-type'] ?? '').split(';');
      const {
        statusCode: status = 0,
        headers: { etag = '' },
      } = response;
      let text = '';
      const done = (): void => {
        // A 304 names the type of the body that it does not have.
        const type = text === '' ? '' : named;
        resolve({ method, path, status, type, body: text, etag });
      };
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (named !== 'text/event-stream' || !text.includes('\n\n')) return;
        done();
        request.destroy();
      });
      response.once('end', done).once('error', reject);
    });
    request.once('error', reject);
    // Node would encode the head like a body that is a string.
    request.end(body === undefined ? body : Buffer.from(body));
  });
  return within(soonMs, `${method} ${target} is answered`, exchange);
}

/** Values that only the server knows, by the names of their parameters. */
export type Known = Readonly<Record<string, string>>;

/**
 * The requests that the examples of an operation make: with what is required, with each optional parameter,
 * and with each body.
 */
export function exampleRequests(
  method: string,
  path: string,
  { parameters = [], requestBody }: HttpOperation,
  known: Known = {},
): ApiRequest[] {
  const needed = parameters.filter(({ required }) => required);
  const make = (names: readonly string[], headers: Headers = {}, body?: string): ApiRequest => {
    let target = path;
    const query = new URLSearchParams();
    const sent: Record<string, string> = { ...headers };
    for (const { name, in: place, example } of parameters) {
      if (!names.includes(name)) continue;
      const value = known[name] ?? String(example);
      if (place === 'path') target = target.replace(`{${name}}`, encodeURIComponent(value));
      else if (place === 'query') query.set(name, value);
      else sent[name] = value;
    }
    const search = query.size > 0 ? `?${query.toString()}` : '';
    return { method, path, target: target + search, headers: sent, ...(body !== undefined && { body }) };
  };
  const base = needed.map(({ name }) => name);
  const bodies = Object.entries(requestBody?.content ?? {}).flatMap(([type, { examples = {} }]) =>
    Object.values(examples).map(({ value }) =>
      make(base, { 'content-type': type }, typeof value === 'string' ? value : JSON.stringify(value)),
    ),
  );
  const [plain = make(base)] = bodies;
  const optional = parameters
    .filter(({ required }) => !required)
    .map(({ name }) => make([...base, name], plain.headers, plain.body));
  return [...(bodies.length > 0 ? bodies : [plain]), ...optional];
}

/** The requests with the first example of each operation. */
export function plainRequests(
  document: OpenApiDocument,
): readonly (ApiRequest & { operation: HttpOperation })[] {
  return operationsOf(document).flatMap(({ method, path, operation }) => {
    const [request] = exampleRequests(method, path, operation);
    return request ? [{ ...request, operation }] : [];
  });
}
