import { refuseField, type FanfareError } from '@fanfare/protocol';
import { measure, type JsonValue } from './json-text.ts';
import { tooDeep } from './refusals.ts';

/**
 * Encodes a message that was received as a value: from the app, or through the parser of an app's own
 * Socket.IO server.
 *
 * @returns undefined if there is no message
 * @throws FanfareError if the value is not JSON
 */
export function encodeMessage(message: unknown): JsonValue | undefined {
  if (message === undefined) return undefined;
  const json = stringify(message);
  if (json === undefined) throw notJsonValue('The message must be a JSON value.');
  refuseOtherValues(message);
  return measure(json);
}

function stringify(message: unknown): string | undefined {
  try {
    return JSON.stringify(message);
  } catch (error) {
    // JSON.stringify throws a RangeError at some 5,000 levels.
    if (error instanceof RangeError) throw tooDeep();
    throw notJsonValue('The message must be a JSON value.');
  }
}

function notJsonValue(detail: string): FanfareError {
  return refuseField('bad_request', 'message', detail);
}

/**
 * Refuses values that JSON.stringify would change: it encodes binary data as objects, and infinite numbers as
 * null.
 */
function refuseOtherValues(message: unknown): void {
  const waiting = [message];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'number' && !Number.isFinite(value))
      throw notJsonValue('The message must be a JSON value. It has a number that is not finite.');
    if (typeof value !== 'object' || value === null) continue;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
      throw notJsonValue('The message must be a JSON value. It has binary data.');
    // This loop makes no list of the members: a mebibyte of small arrays has very many.
    if (Array.isArray(value)) {
      for (const inner of value) if (mayBeOther(inner)) waiting.push(inner);
    } else {
      for (const name in value) {
        const inner = (value as Readonly<Record<string, unknown>>)[name];
        if (mayBeOther(inner)) waiting.push(inner);
      }
    }
  }
}

function mayBeOther(value: unknown): boolean {
  return typeof value === 'object' || (typeof value === 'number' && !Number.isFinite(value));
}
