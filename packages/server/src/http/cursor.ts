import { refuseField } from '@fanfare/protocol';
import type { NodePlace } from '../message-path/all-nodes.ts';
import type { SubscriberPlace } from '../nodes/cluster.ts';
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

/** A cursor of a list of connections: a node, and the number of a connection. */
export function readConnectionCursor(query: Query): NodePlace<number> | undefined {
  const [, node, number] = readParts(query, /^([A-Za-z0-9_-]*) ([0-9]{1,15})$/) ?? [];
  return node === undefined ? undefined : { node, place: Number(number) };
}

export function encodeConnectionCursor({ node, place = 0 }: NodePlace<number>): string {
  return encodeCursor(`${node} ${place}`);
}

/** A cursor of a list of subscribers: a node, the number of a connection, and a subscription. */
export function readSubscriberCursor(query: Query): NodePlace<SubscriberPlace> | undefined {
  const [, node, number, subscription = ''] =
    readParts(query, /^([A-Za-z0-9_-]*) ([0-9]{1,15}) (.*)$/s) ?? [];
  return node === undefined ? undefined : { node, place: { connection: Number(number), subscription } };
}

export function encodeSubscriberCursor({ node, place }: NodePlace<SubscriberPlace>): string {
  return encodeCursor(`${node} ${place?.connection ?? 0} ${place?.subscription ?? ''}`);
}

function readParts(query: Query, form: RegExp): RegExpExecArray | undefined {
  const place = readCursor(query);
  if (place === undefined) return undefined;
  const parts = form.exec(place);
  if (!parts) throw wrongCursor();
  return parts;
}

function wrongCursor(): Error {
  return refuseField('bad_request', 'cursor', 'cursor must come from an earlier response of this server.');
}
