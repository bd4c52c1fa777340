import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FanfareError,
  parseFrom,
  parseId,
  parseInterest,
  parseOffset,
  parseSubscribe,
  parseTopic,
  parseUnsubscribe,
} from '@fanfare/protocol';
import { asyncApi, type AsyncApiDocument, type Schema } from '@fanfare/protocol/api';
import { from, name, offset, other, request } from '../../../test/api-inputs.ts';
import { DocumentSchemas } from '../../../test/api-schemas.ts';

const document = asyncApi('1.2.3');

const inputs = 5_000;

interface Case {
  readonly input: fc.Arbitrary<unknown>;
  readonly parse: (input: unknown) => unknown;
}

/** The parser of each schema, and inputs that the schema allows or nearly allows. */
const cases: Readonly<Record<string, Case>> = {
  Topic: { input: fc.oneof({ weight: 9, arbitrary: name }, other), parse: parseTopic },
  Interest: { input: fc.oneof({ weight: 9, arbitrary: name }, other), parse: parseInterest },
  Id: { input: fc.oneof({ weight: 9, arbitrary: name }, other), parse: parseId },
  Offset: { input: offset, parse: parseOffset },
  From: { input: from, parse: parseFrom },
  SubscribeRequest: { input: request, parse: parseSubscribe },
  UnsubscribeRequest: { input: request, parse: parseUnsubscribe },
};

/** Over a socket and over HTTP, everything comes as JSON. */
function asJson(input: unknown): unknown {
  return input === undefined ? undefined : (JSON.parse(JSON.stringify(input)) as unknown);
}

function accepts({ parse }: Case, input: unknown): boolean {
  try {
    return parse(input) !== undefined;
  } catch (error) {
    if (error instanceof FanfareError) return false;
    throw error;
  }
}

/** Compares a schema with its parser. */
function compare(name_: string, schemas: DocumentSchemas, numRuns = inputs): { accepted: number } {
  const one = cases[name_];
  if (!one) throw new Error(`there is no parser for ${name_}`);
  let accepted = 0;
  fc.assert(
    fc.property(one.input, (given) => {
      const input = asJson(given);
      const isAccepted = accepts(one, input);
      if (isAccepted) accepted++;
      // JSON has no undefined, so no schema describes it.
      if (input !== undefined) expect(schemas.allows(name_, input)).toBe(isAccepted);
    }),
    { numRuns },
  );
  return { accepted };
}

function withSchema(name_: string, change: (schema: Schema) => Schema): DocumentSchemas {
  const { schemas } = document.components;
  const changed = { ...schemas, [name_]: change(schemas[name_] ?? {}) };
  expect(changed).not.toEqual(schemas);
  return new DocumentSchemas({
    ...document,
    components: { ...document.components, schemas: changed },
  } satisfies AsyncApiDocument);
}

describe('the schemas of the API documents', () => {
  const schemas = new DocumentSchemas(document);

  it.each(Object.keys(cases))('the schema %s allows exactly the inputs that the parser accepts', (name_) => {
    const { accepted } = compare(name_, schemas);
    expect(accepted).toBeGreaterThan(inputs / 20);
    expect(accepted).toBeLessThan(inputs * 0.95);
  });

  it.each<[string, string, (schema: Schema) => Schema, string?]>([
    ['no limit in bytes', 'Topic', (schema) => ({ ...schema, 'x-utf8BytesMax': 999, maxLength: 999 })],
    ['a lower limit', 'Topic', (schema) => ({ ...schema, maxLength: 254 })],
    ['wildcards in topics', 'Topic', () => document.components.schemas['Interest'] ?? {}],
    [
      'no wildcards in patterns',
      'Interest',
      (schema) => ({ ...schema, pattern: '^[^*$][^*\\p{Cc}\\p{Cs}]*$' }),
    ],
    ['control characters in ids', 'Id', (schema) => ({ ...schema, pattern: '^[^\\p{Cs}]+$' })],
    [
      'empty ids',
      'Id',
      ({ 'x-utf8BytesMax': max = 0 }) => ({ type: 'string', 'x-utf8BytesMax': max, maxLength: 0 }),
    ],
    [
      'offsets with leading zeros',
      'Offset',
      (schema) => ({ ...schema, pattern: '^[\\w-]{1,64}\\.[0-9]{1,16}$' }),
    ],
    ['no offsets', 'From', ({ anyOf = [], ...rest }) => ({ ...rest, anyOf: anyOf.toSpliced(1, 1) })],
    ['numbers that are not whole', 'Count', (schema) => ({ ...schema, type: 'number' }), 'From'],
    ['plain subscriptions to reserved topics', 'PlainTopic', () => ({}), 'SubscribeRequest'],
    ['a request without a topic', 'SubscribeRequest', (schema) => ({ ...schema, required: [] })],
    ['any value of envelope', 'UnsubscribeRequest', (schema) => withoutField(schema, 'envelope')],
  ])('a document with %s fails the comparison', (_what, changed, change, compared = changed) => {
    expect(() => compare(compared, withSchema(changed, change), 20_000)).toThrow(/Property failed/);
  });
});

function withoutField({ properties = {}, ...schema }: Schema, field: string): Schema {
  const { [field]: _, ...rest } = properties;
  return { ...schema, properties: rest };
}
