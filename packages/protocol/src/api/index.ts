export { asyncApi } from './asyncapi.ts';
export type {
  AsyncApiDocument,
  Channel,
  EventMessage,
  HttpOperation,
  HttpParameter,
  HttpResponse,
  MediaTypes,
  OpenApiDocument,
} from './documents.ts';
export type { Schema } from './json-schema.ts';
export { openApi } from './openapi.ts';
