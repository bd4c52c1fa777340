import { errorCodes, type ErrorCode } from '../errors.ts';
import type {
  HttpOperation,
  HttpParameter,
  HttpResponse,
  MediaTypes,
  OpenApiDocument,
  Reference,
} from './documents.ts';
import { fileOperations } from './file-operations.ts';
import { ref, type Schema } from './json-schema.ts';
import { messageOperations } from './message-operations.ts';
import { errorsOf, tags, type Answer, type Content, type Operation, type Parameter } from './operation.ts';
import { operatorOperations } from './operator-operations.ts';
import { schemasIn } from './schemas.ts';
import { topicOperations } from './topic-operations.ts';

const operations: readonly Operation[] = [
  ...messageOperations,
  ...topicOperations,
  ...operatorOperations,
  ...fileOperations,
];

const problemType = 'application/problem+json';

const intro = `The HTTP API of a Fanfare server. PROTOCOL.md of Fanfare is the contract, and this document describes it for tools.

- The document \`/asyncapi.json\` describes the events over Socket.IO.
- \`HEAD\` works like \`GET\`, without a body.
- If a path does not exist, the error is \`not_found\`. If a path does not take the method, it is \`method_not_allowed\`.
- Limits such as the size of a message are settings of the server. The schemas do not include them.
- \`x-utf8BytesMax\` is the maximum length of a string in bytes of UTF-8. \`x-levelsMax\` is the maximum number of levels of arrays and objects.`;

/** Builds the OpenAPI document. It is the same for all servers of a version. */
export function openApi(version: string): OpenApiDocument {
  const responses: Record<string, HttpResponse> = {};
  const paths: Record<string, Record<string, HttpOperation>> = {};
  for (const operation of operations) {
    for (const [at, path] of operation.paths.entries()) {
      const id = at === 0 ? operation.id : `${operation.id}ByPath`;
      (paths[path] ??= {})[operation.method] = describe(operation, id, path, responses);
    }
  }
  const schemas = schemasIn({ paths, responses });
  return {
    openapi: '3.1.1',
    info: { title: 'Fanfare', version, description: intro, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/', description: 'The server that has this document.' }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas,
      responses,
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Needed if the server has a key (PROTOCOL.md 7.2). An open server needs no token.',
        },
      },
    },
  };
}

function describe(
  operation: Operation,
  operationId: string,
  path: string,
  shared: Record<string, HttpResponse>,
): HttpOperation {
  const { tag, summary, description, audience, parameters = [], body } = operation;
  return {
    operationId,
    tags: [tag],
    summary,
    description,
    security: audience === 'everyone' ? [] : [{ token: [] }, {}],
    ...(parameters.length > 0 && { parameters: parameters.map((one) => describeParameter(one, path)) }),
    ...(body && { requestBody: { required: true, content: describeContent(body) } }),
    responses: describeResponses(operation, shared),
  };
}

function describeParameter(
  { name, in: place, description, schema, example }: Parameter,
  path: string,
): HttpParameter {
  const isInPath = path.includes(`{${name}}`);
  const where = place === 'name' ? (isInPath ? 'path' : 'query') : place;
  return { name, in: where, description, ...(place === 'name' && { required: true }), schema, example };
}

function describeContent(content: Content): MediaTypes {
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema, examples }]) => [
      type,
      {
        schema,
        ...(examples && {
          examples: Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }])),
        }),
      },
    ]),
  );
}

function describeResponses(
  operation: Operation,
  shared: Record<string, HttpResponse>,
): HttpOperation['responses'] {
  const responses: Record<string, HttpResponse | Reference> = {};
  for (const [status, answer] of Object.entries(operation.answers)) {
    responses[status] = describeAnswer(answer);
  }
  for (const [status, codes] of statusesOf(operation)) {
    const answer = operation.answers[status];
    const refusal = describeRefusal(status, codes);
    if (answer) {
      const { content } = answer;
      const description = `${answer.description} ${refusal.description}`;
      responses[status] = describeAnswer({ description, content: { ...content, ...refusal.content } });
      continue;
    }
    const name = `${status}-${codes.join('-')}`;
    shared[name] = { description: refusal.description, content: describeContent(refusal.content) };
    responses[status] = { $ref: `#/components/responses/${name}` };
  }
  return responses;
}

function describeAnswer({ description, content }: Answer): HttpResponse {
  return { description, ...(content && { content: describeContent(content) }) };
}

/** The codes of the errors of an operation, by their status. */
function statusesOf(operation: Operation): ReadonlyMap<number, readonly ErrorCode[]> {
  const statuses = new Map<number, ErrorCode[]>();
  const add = (status: number, code: ErrorCode): void =>
    void statuses.set(status, [...(statuses.get(status) ?? []), code]);
  for (const code of errorsOf(operation)) add(errorCodes[code].status, code);
  // The more exact statuses of PROTOCOL.md 6.2.
  for (const status of [417, 431]) add(status, 'bad_request');
  if (operation.method !== 'get') add(408, 'bad_request');
  if (operation.body) add(415, 'bad_request');
  if (operation.errors.includes('outcome_unknown')) add(507, 'storage_unavailable');
  return statuses;
}

function describeRefusal(status: number, codes: readonly ErrorCode[]) {
  const titles = codes.map((code) => `\`${code}\`: ${errorCodes[code].title}.`);
  const schema: Schema = {
    allOf: [ref('Problem')],
    properties: { code: { enum: codes }, status: { const: status } },
  };
  return { description: titles.join(' '), content: { [problemType]: { schema } } };
}
