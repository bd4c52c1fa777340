import fc from 'fast-check';
import { openApi, type HttpParameter, type OpenApiDocument, type Schema } from '@fanfare/protocol/api';
import { expect, it } from 'vitest';
import { from, name, offset, publish } from '../../../../test/api-inputs.ts';
import { DocumentSchemas } from '../../../../test/api-schemas.ts';
import { bearer, secret } from '../access/tokens.ts';
import { startServer } from '../harness.ts';
import { operationsOf } from './judge.ts';
import { exampleRequests, send, type ApiRequest, type Headers } from './requests.ts';

const document = openApi('1.2.3');

/** The codes of a request that is malformed. Other refusals depend on the state of the server. */
const malformed: ReadonlySet<unknown> = new Set(['bad_request', 'topic_name_invalid', 'payload_too_deep']);

async function accepts(url: string, request: ApiRequest): Promise<boolean> {
  const { type, body } = await send(url, request);
  return type !== 'application/problem+json' || !malformed.has((JSON.parse(body) as { code: string }).code);
}

/** Compares the schema of a publish with a real server. */
async function comparePublish(url: string, schemas: DocumentSchemas, numRuns = 500): Promise<number> {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(publish, async (input) => {
      fc.pre(input !== undefined && !Array.isArray(input));
      const body = JSON.stringify(input);
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const request = { method: 'POST', path: '/publish', target: '/publish', headers, body };
      const isAccepted = await accepts(url, request);
      if (isAccepted) accepted++;
      expect(schemas.allows('PublishRequest', JSON.parse(body))).toBe(isAccepted);
    }),
    { numRuns },
  );
  return accepted;
}

interface Place {
  readonly method: string;
  readonly path: string;
  readonly request: ApiRequest;
  readonly parameter: HttpParameter;
}

/** Each parameter of each operation, with a request that has only what is required. */
const places: readonly Place[] = operationsOf(document).flatMap(({ method, path, operation }) => {
  const [request] = exampleRequests(method, path, operation);
  if (!request) return [];
  return (
    (operation.parameters ?? [])
      // A cursor is opaque: the server accepts only its own.
      .filter((parameter) => parameter.name !== 'cursor')
      .map((parameter) => ({ method, path, request, parameter }))
  );
});

/** Texts for parameters: of the form that a parameter has, and of others. */
const text = fc
  .oneof(
    name,
    offset,
    from.filter((one) => typeof one === 'string'),
    fc.oneof(fc.nat(), fc.integer({ min: -3, max: 1_003 }), fc.double(), fc.bigInt()).map(String),
    fc.constantFrom('', '0', '1', '1000', '1001', '007', String(Number.MAX_SAFE_INTEGER), '9007199254740992'),
  )
  .map((one) => one.toWellFormed());

/** The request of a place, with another value of its parameter. Undefined if HTTP cannot carry the value. */
function withValue({ request, parameter, path }: Place, value: string): ApiRequest | undefined {
  const { name: key, in: where } = parameter;
  const isStream = /event-?id/i.test(key);
  const headers: Headers = { ...request.headers, ...(isStream && { accept: 'text/event-stream' }) };
  if (where === 'header') {
    const bytes = Buffer.from(value).toString('latin1');
    if (value.trim() !== value || /[^\t\u0020-\u007e\u0080-\u00ff]/.test(bytes)) return undefined;
    return { ...request, headers: { ...headers, [key]: bytes } };
  }
  if (where === 'path') {
    // Without a name, or with a segment of dots, it would be another path.
    if (/^(?:|\.|\.\.)$/.test(value)) return undefined;
    return { ...request, headers, target: path.replace(`{${key}}`, encodeURIComponent(value)) };
  }
  const [target = '', search] = request.target.split('?');
  const query = new URLSearchParams(search);
  query.set(key, value);
  return { ...request, headers, target: `${target}?${query.toString()}` };
}

/** The value that a text stands for, by the type of the parameter. */
function valueOf({ type, $ref }: Schema, value: string): unknown {
  const isNumber = type === 'integer' || /\/(?:Count|Time)$/.test($ref ?? '');
  return isNumber && /^[0-9]{1,16}$/.test(value) ? Number(value) : value;
}

/** Compares the schemas of all parameters with a real server. */
async function compareParameters(
  url: string,
  headers: Headers,
  by: OpenApiDocument,
  numRuns = 1_500,
): Promise<number> {
  const schemas = new DocumentSchemas(by);
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), text, async (place, value) => {
      const request = withValue(place, value);
      fc.pre(request !== undefined);
      const { method, path, parameter } = place;
      const parameters = by.paths[path]?.[method.toLowerCase()]?.parameters ?? [];
      const at = parameters.findIndex((one) => one.name === parameter.name);
      const route = ['paths', path, method.toLowerCase(), 'parameters', String(at), 'schema'];
      const faults = schemas.faults(route, valueOf(parameter.schema, value));
      const isAccepted = await accepts(url, { ...request, headers: { ...headers, ...request.headers } });
      if (isAccepted) accepted++;
      const what = `${request.method} ${request.target} ${JSON.stringify(request.headers)}`;
      expect([what, faults.length === 0]).toEqual([what, isAccepted]);
    }),
    { numRuns },
  );
  return accepted;
}

function withSchema(key: string, schema: Schema): OpenApiDocument {
  const { components } = document;
  return { ...document, components: { ...components, schemas: { ...components.schemas, [key]: schema } } };
}

it('a server refuses the publishes that the OpenAPI document forbids, and no others as malformed', async () => {
  const { url, server } = await startServer({ memory: true });
  await server.declare('orders');
  const accepted = await comparePublish(url, new DocumentSchemas(document));
  expect(accepted).toBeGreaterThan(50);
  expect(accepted).toBeLessThan(450);
  for (const wrong of [
    withSchema('Message', { 'x-levelsMax': 63 }),
    withSchema('Message', { 'x-levelsMax': 65 }),
    withSchema('Id', { type: 'string' }),
    withSchema('PublishRequest', { ...document.components.schemas['PublishRequest'], required: ['topic'] }),
  ])
    await expect(comparePublish(url, new DocumentSchemas(wrong), 10_000)).rejects.toThrow(/Property failed/);
});

it('a server refuses the values of parameters that the OpenAPI document forbids, and no others', async () => {
  const { url, server } = await startServer({ memory: true, key: secret });
  await server.declare('orders');
  const admin = await bearer({ sub: 'root', admin: true });
  expect(places.length).toBeGreaterThan(30);
  expect(await compareParameters(url, admin, document)).toBeGreaterThan(200);
  for (const wrong of [withSchema('Topic', { type: 'string' }), withSchema('Offset', { type: 'string' })])
    await expect(compareParameters(url, admin, wrong, 10_000)).rejects.toThrow(/Property failed/);
});
