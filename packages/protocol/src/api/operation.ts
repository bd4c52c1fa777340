import type { ErrorCode } from '../errors.ts';
import type { Schema } from './json-schema.ts';

/** A value of a request. `example` is sent to a real server by the tests. */
export interface Parameter {
  readonly name: string;
  /** `name`: in the path if the path has a place for it, and otherwise in the query. */
  readonly in: 'name' | 'query' | 'header';
  readonly description: string;
  readonly schema: Schema;
  readonly example: string | number;
}

/** The forms of a body by their media types, with examples that tests send to a real server. */
export type Content = Readonly<
  Record<string, { readonly schema: Schema; readonly examples?: Readonly<Record<string, unknown>> }>
>;

export interface Answer {
  readonly description: string;
  readonly content?: Content;
}

/** Who can send a request: everyone; with tokens, clients that have one; or admins only. */
export type Audience = 'everyone' | 'clients' | 'admins';

/** A request that the server answers, in the form from which the OpenAPI document is built. */
export interface Operation {
  readonly id: string;
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'options';
  /** The first path is the usual one. */
  readonly paths: readonly string[];
  readonly tag: Tag;
  readonly summary: string;
  readonly description: string;
  readonly audience: Audience;
  readonly parameters?: readonly Parameter[];
  readonly body?: Content;
  readonly answers: Readonly<Record<number, Answer>>;
  /** The error codes in addition to those of {@link errorsOf}. */
  readonly errors: readonly ErrorCode[];
}

/** The groups of operations. */
export const tags = {
  Publishing: 'Publish messages.',
  Topics: 'List, declare and delete topics.',
  Reading: 'Read stored and new messages.',
  Operating: 'Look at the server and its clients, and manage them.',
  Health: 'Health checks, for load balancers.',
  Files: 'Pages, scripts, and the API documents.',
} as const;

type Tag = keyof typeof tags;

const errorsOfAll: readonly ErrorCode[] = ['bad_request', 'not_authorized', 'limit_exceeded', 'internal'];
const errorsOfTokens: readonly ErrorCode[] = ['not_authenticated', 'token_expired', 'keys_unavailable'];

/** All error codes with which the server can refuse an operation. */
export function errorsOf({ audience, errors }: Pick<Operation, 'audience' | 'errors'>): readonly ErrorCode[] {
  return [...new Set([...errorsOfAll, ...(audience === 'everyone' ? [] : errorsOfTokens), ...errors])];
}

export const json = 'application/json';

/** A body of JSON. */
export function inJson(schema: Schema, examples?: Readonly<Record<string, unknown>>): Content {
  return { [json]: { schema, ...(examples && { examples }) } };
}

/** The codes of requests that read the log. */
export const readErrors: readonly ErrorCode[] = ['storage_unavailable', 'log_damaged', 'draining'];

/** The codes of requests that change something. */
export const changeErrors: readonly ErrorCode[] = ['storage_unavailable', 'outcome_unknown', 'draining'];

/** The codes of a publish, over HTTP and over Socket.IO. */
export const publishErrors: readonly ErrorCode[] = [
  'topic_name_invalid',
  'topic_not_found',
  'id_conflict',
  'payload_too_large',
  'payload_too_deep',
  'rate_limited',
  ...changeErrors,
];
