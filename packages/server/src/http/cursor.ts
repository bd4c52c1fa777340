import { refuseField } from '@fanfare/protocol';
import type { Query } from './query.ts';

/** Encodes the place where a list continues, as a string that is opaque to clients. */
export function encodeCursor(place: string): string {
  return Buffer.from(place).toString('base64url');
}

/** @throws FanfareError if the cursor is not from {@link encodeCursor} */
export function readCursor(query: Query): string | undefined {
  const cursor = query.text('cursor');
  if (cursor === undefined) return undefined;
  const place = Buffer.from(cursor, 'base64url').toString();
  if (place !== '' && encodeCursor(place) === cursor) return place;
  throw wrongCursor();
}

/** A cursor that is a number: how many items came before. */
export function readNumberCursor(query: Query): number | undefined {
  const place = readCursor(query);
  if (place === undefined) return undefined;
  if (/^[0-9]{1,15}$/.test(place)) return Number(place);
  throw wrongCursor();
}

/** A cursor that is a number and a name. */
export function readPlaceCursor(query: Query): readonly [number: number, name: string] | undefined {
  const place = readCursor(query);
  if (place === undefined) return undefined;
  const [, number, name] = /^([0-9]{1,15}) (.+)$/s.exec(place) ?? [];
  if (name !== undefined) return [Number(number), name];
  throw wrongCursor();
}

function wrongCursor(): Error {
  return refuseField('bad_request', 'cursor', 'cursor must come from an earlier response of this server.');
}
