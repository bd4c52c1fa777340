import fc from 'fast-check';
import { Decoder, Encoder, PacketType, type Packet } from 'socket.io-parser';
import { describe, expect, it } from 'vitest';
import {
  checkPlaceholders,
  disconnectMessage,
  encodeAck,
  encodeConnect,
  encodeConnectError,
  encodeEvent,
  parseAuth,
  parseEvent,
  parseMessage,
  type MessageType,
} from '../src/message.ts';

interface Parsed {
  readonly type: string;
  readonly namespace: string;
  readonly id: number | undefined;
  readonly data: unknown;
}

type Result = Parsed | 'malformed';

const buffers = (count: number): Buffer[] => Array.from({ length: count }, () => Buffer.from([1]));

/** @returns undefined if the text announces more attachments than are there */
function stock(text: string, attachments: number): Result | undefined {
  const decoder = new Decoder();
  let packet: Packet | undefined;
  decoder.on('decoded', (decoded: Packet) => (packet = decoded));
  try {
    decoder.add(text);
    for (const buffer of buffers(attachments)) if (!packet) decoder.add(buffer);
  } catch {
    return 'malformed';
  }
  if (!packet) return undefined;
  const { type, nsp, id } = packet;
  return { type: PacketType[type].toLowerCase(), namespace: nsp, id, data: packet.data as unknown };
}

function ours(text: string): Result {
  try {
    const { type, namespace, id, attachments, payload } = parseMessage(text);
    const data = dataOf(type, payload);
    if (attachments > 0) checkPlaceholders(data, attachments);
    return { type: type.replace('binary_', ''), namespace, id, data };
  } catch {
    return 'malformed';
  }
}

function dataOf(type: MessageType, payload: string): unknown {
  if (payload === '') return undefined;
  if (type === 'event' || type === 'binary_event') return parseEvent({ payload });
  if (type === 'connect') return parseAuth({ payload });
  return JSON.parse(payload);
}

/** The differences that are meant. They concern messages that no client sends. */
const meant: readonly { readonly reason: string; readonly holds: (text: string) => boolean }[] = [
  {
    reason: 'A message without a type, or with white space as its type, is a connect for the stock parser.',
    holds: (text) => !/^[0-6]/.test(text),
  },
  {
    reason:
      'The stock parser reads white space as digits. A client that sends white space before its JSON would get an acknowledgement 0.',
    // The name of a namespace may contain all characters but a comma.
    holds: (text) => /^\d(?:\d+-)?(?:\/[^,]*,)?[^[{"]*\s/.test(text),
  },
  {
    reason: 'The stock parser reads a count of attachments as any number of JavaScript: 0x1, 1e0, +1, 1.0.',
    holds: (text) => /^[56](?!\d+-)[^-]*-/.test(text) || /^[56]0{3}/.test(text),
  },
  {
    reason: 'A number of more than 15 digits loses digits, so that the acknowledgement would have another.',
    holds: (text) => /\d{16}/.test(text),
  },
  {
    reason:
      'The payload of an error is not checked: a client may send none, and its session is closed anyway.',
    holds: (text) => text.startsWith('4'),
  },
];

const meantReason = (text: string): string | undefined => meant.find(({ holds }) => holds(text))?.reason;

const noise = fc.string({
  unit: fc.constantFrom(...'0123456789[]{}"/,-:ae_+. \t\n', 'é', '🚀', '\0'),
  maxLength: 14,
});

const json = fc.oneof(
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.constantFrom(
    '["a"]',
    '[1]',
    '[]',
    '[null]',
    '["connect"]',
    '["disconnect",1]',
    '["newListener"]',
    '["a",{"_placeholder":true,"num":0}]',
    '["a",[{"_placeholder":true,"num":1}]]',
    '["a",{"_placeholder":true,"num":-1}]',
    '["a",{"_placeholder":true,"num":"__proto__"}]',
    '["a",{"_placeholder":true,"num":0.5}]',
    '{}',
    '{"token":"x"}',
    '{"__proto__":{"token":"x"}}',
    '"x"',
    '{',
    ' ["a"]',
    'null7',
  ),
);

/** Messages of all types, many of which are not as they should be. */
const likely = fc
  .tuple(
    fc.constantFrom(...'0123456', '7', ''),
    fc.constantFrom('', '', '0-', '1-', '2-', '10-', '11-', '01-', '1e0-', '-', '1'),
    fc.constantFrom('', '', '/', '/,', '/a,', '/a', '/a/b?c,', '/__proto__,', 'a,'),
    fc.constantFrom('', '', '0', '7', '007', '123456789012345', '1234567890123456', '-1', '1.5'),
    fc.oneof(fc.constant(''), json, noise),
  )
  .map((parts) => parts.join(''));

describe('messages of Socket.IO', () => {
  it('a message is read as the stock parser reads it, or differs for a reason that is listed', () => {
    const used = new Set<string>();
    const check = (text: string): void => {
      const result = ours(text);
      const attachments = result === 'malformed' ? 10 : 1 + Number(/^[56](\d+)-/.exec(text)?.[1] ?? 0);
      const expected = stock(text, attachments);
      if (isSame(result, expected)) return;
      const reason = meantReason(text);
      if (reason === undefined)
        throw new Error(`${JSON.stringify(text)}: ${show(result)}, stock: ${show(expected)}`);
      used.add(reason);
    };
    fc.assert(fc.property(fc.oneof(likely, noise), check), { numRuns: 30_000 });
    // A reason that no case needs any more would only hide differences.
    expect([...used].toSorted()).toEqual(meant.map(({ reason }) => reason).toSorted());
  });

  it.each(['51-{}', '61-"a"'])('a message is refused before its binary data comes: %s', (text) => {
    expect(() => parseMessage(text)).toThrow('not a packet of Socket.IO 4');
  });

  it('what we encode is read by the stock parser as it was meant', () => {
    const namespaces = fc.constantFrom('/', '/a', '/a/b');
    const values = fc.jsonValue();
    fc.assert(
      fc.property(namespaces, fc.string(), values, fc.nat(), (namespace, name, value, id) => {
        const text = JSON.stringify(value);
        const encoder = new Encoder();
        const encoded = (packet: object): unknown => encoder.encode(packet as Packet)[0];
        const same = JSON.parse(text) as unknown;
        expect(encodeEvent(name, text)).toBe(encoded({ type: 2, nsp: '/', data: [name, same] }));
        expect(encodeAck(id, text)).toBe(encoded({ type: 3, nsp: '/', id, data: [same] }));
        expect(encodeConnect(name)).toBe(encoded({ type: 0, nsp: '/', data: { sid: name } }));
        const error = { message: name, data: same };
        expect(encodeConnectError(namespace, error)).toBe(encoded({ type: 4, nsp: namespace, data: error }));
        expect(disconnectMessage).toBe(encoded({ type: 1, nsp: '/' }));
      }),
    );
  });

  it('an event whose payload is nested deeply does not end the process', () => {
    const depth = 100_000;
    const payload = `["a",${'['.repeat(depth)}${']'.repeat(depth)}]`;
    expect(() => checkPlaceholders(parseEvent({ payload }), 1)).not.toThrow();
  });

  it('a message with a million slashes or digits is refused in linear time', () => {
    for (const part of ['1', '5-', ',/', ' '])
      expect(() => parseMessage(`2${part.repeat(1_000_000)}x`)).toThrow();
  });
});

/** Of an acknowledgement, our parser leaves the payload as it is: nobody waits for it. */
function isSame(result: Result, expected: Result | undefined): boolean {
  return expected !== undefined && show(result) === show(expected);
}

function show(result: Result | undefined): string {
  return JSON.stringify(result, (_key, value: unknown) => (isAttachment(value) ? undefined : value));
}

/** The stock parser puts attachments at their places. */
function isAttachment(value: unknown): boolean {
  const fields = value as { readonly type?: unknown; readonly _placeholder?: unknown } | null;
  return (
    typeof fields === 'object' &&
    fields !== null &&
    (fields.type === 'Buffer' || fields['_placeholder'] === true)
  );
}
