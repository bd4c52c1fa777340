import type { HttpOperation, HttpResponse, OpenApiDocument } from '@fanfare/protocol/api';
import { DocumentSchemas, withoutOtherFields } from '../../../../test/api-schemas.ts';

/** A response of a real server. */
export interface Exchange {
  readonly method: string;
  /** The path in the document, such as `/topics/{topic}`. */
  readonly path: string;
  readonly status: number;
  /** The media type, without parameters. Empty if there is no body. */
  readonly type: string;
  readonly body: string;
}

/** Judges the responses of a server by an OpenAPI document. */
export class Judge {
  readonly #document: OpenApiDocument;
  readonly #schemas: DocumentSchemas;

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.#schemas = new DocumentSchemas(withoutOtherFields(document));
  }

  /** What the document does not say about a response, or says otherwise. */
  faults({ method, path, status, type, body }: Exchange): string[] {
    const at = ['paths', path, method.toLowerCase(), 'responses', String(status)];
    const response = this.#document.paths[path]?.[method.toLowerCase()]?.responses[status];
    if (!response) return [`${method} ${path}: the status ${status} is not documented: ${body}`];
    const place = '$ref' in response ? response.$ref.split('/').slice(1) : at;
    const { content } = this.#resolve(response);
    if (!content) return body === '' ? [] : [`${method} ${path}, ${status}: a body is not documented`];
    if (!(type in content)) return [`${method} ${path}, ${status}: the type '${type}' is not documented`];
    const found = this.#schemas.faults([...place, 'content', type, 'schema'], valueOf(type, body));
    return found.map((fault) => `${method} ${path}, ${status}: ${fault}`);
  }

  /** What the document does not say about a value, such as an event of a stream. */
  faultsOf(schema: string, value: unknown): string[] {
    return this.#schemas.faults(['components', 'schemas', schema], value);
  }

  #resolve(response: HttpOperation['responses'][string]): HttpResponse {
    if (!('$ref' in response)) return response;
    return this.#document.components.responses[response.$ref.split('/').at(-1) ?? ''] ?? { description: '' };
  }
}

function valueOf(type: string, body: string): unknown {
  return /^application\/(?:problem\+)?json$/.test(type) ? (JSON.parse(body) as unknown) : body;
}

/** The error codes of an operation, by their status, as the document has them. */
export function documentedErrors(document: OpenApiDocument, operation: HttpOperation): string[] {
  return Object.entries(operation.responses).flatMap(([status, one]) => {
    const response = '$ref' in one ? document.components.responses[one.$ref.split('/').at(-1) ?? ''] : one;
    const schema = response?.content?.['application/problem+json']?.schema;
    return (schema?.properties?.['code']?.enum ?? []).map((code) => `${status} ${String(code)}`);
  });
}

/** Each operation of a document with its method and path. */
export function operationsOf(
  document: OpenApiDocument,
): readonly { readonly method: string; readonly path: string; readonly operation: HttpOperation }[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
}
