import { FanfareError } from './errors.ts';

/**
 * Reads untrusted input as an object with named fields. The returned function reads a field by name. It sees
 * only the own properties of the object, because inherited ones could come from a polluted prototype.
 *
 * @param what - the name of the request, for the error message
 * @param example - a valid request, for the error message
 * @throws FanfareError `bad_request` if the input is not a plain object
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
