import { FanfareError } from './errors.ts';

/**
 * Looks at untrusted input as an object with named fields. The answer reads a field by name and sees
 * only what the object itself has, never what it inherits.
 *
 * @param what - the request's name, for the error's sentence
 * @param example - what it takes, for the same sentence
 * @throws FanfareError `bad_request` when the input is no plain object
 */
export function fieldsOf(
  input: unknown,
  what: string,
  example = '{"topic": "news"}',
): (name: string) => unknown {
  if (!isPlainObject(input)) {
    throw new FanfareError(
      'bad_request',
      `${what} takes one object such as ${example}, not ${kindOf(input)}.`,
    );
  }
  return (name) => (Object.hasOwn(input, name) ? input[name] : undefined);
}

function isPlainObject(input: unknown): input is Record<string, unknown> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return false;
  const prototype: unknown = Object.getPrototypeOf(input);
  return prototype === Object.prototype || prototype === null;
}

function kindOf(input: unknown): string {
  if (input === undefined) return 'nothing';
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'an array';
  return typeof input === 'object' ? 'binary data' : `a ${typeof input}`;
}
