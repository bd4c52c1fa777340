import type { Schema } from './json-schema.ts';

/** The parts of an OpenAPI document that the server's document has. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: Info;
  readonly servers: readonly object[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, HttpOperation>>>>;
  readonly components: Components & { readonly responses: Readonly<Record<string, HttpResponse>> };
}

/** The parts of an AsyncAPI document that the server's document has. */
export interface AsyncApiDocument {
  readonly asyncapi: string;
  readonly info: Info;
  readonly defaultContentType: string;
  readonly servers: Readonly<Record<string, object>>;
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<Record<string, EventOperation>>;
  readonly components: Components;
}

interface Info {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  readonly license: object;
}

interface Components {
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly securitySchemes: Readonly<Record<string, object>>;
}

export interface HttpOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly security: readonly object[];
  readonly parameters?: readonly HttpParameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: MediaTypes };
  readonly responses: Readonly<Record<string, HttpResponse | Reference>>;
}

export interface HttpParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly required?: true;
  readonly schema: Schema;
  readonly example: string | number;
}

export interface HttpResponse {
  readonly description: string;
  readonly content?: MediaTypes;
}

export type MediaTypes = Readonly<
  Record<
    string,
    { readonly schema: Schema; readonly examples?: Readonly<Record<string, { readonly value: unknown }>> }
  >
>;

/** An event of Socket.IO. Its address is the name of the event. */
export interface Channel {
  readonly address: string;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, { readonly description: string }>>;
  readonly messages: Readonly<Record<string, EventMessage>>;
}

export interface EventMessage {
  readonly name: string;
  readonly summary: string;
  readonly payload: Schema;
  readonly examples?: readonly { readonly name: string; readonly payload: unknown }[];
}

interface EventOperation {
  readonly action: 'send' | 'receive';
  readonly channel: Reference;
  readonly summary: string;
  readonly messages: readonly Reference[];
  readonly reply?: { readonly channel: Reference; readonly messages: readonly Reference[] };
}

/** A JSON pointer into the document. */
export interface Reference {
  readonly $ref: string;
}
