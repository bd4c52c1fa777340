import fc, { type Arbitrary } from 'fast-check';
import { anyRequestText } from './requests.ts';

const event = fc.constantFrom(
  'subscribe',
  'unsubscribe',
  'publish',
  'connect',
  'disconnect',
  'error',
  '__proto__',
  'toString',
  '',
  'nothing',
);

/** The text of a Socket.IO packet. */
export const socketIoPacket: Arbitrary<string> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(event, anyRequestText, fc.option(fc.nat(9)))
      .map(([name, argument, ack]) => `2${ack ?? ''}[${JSON.stringify(name)},${argument}]`),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom('0', '1', '2', '3', '4', '5', '6', '7', 'z', ''),
        fc.constantFrom('', '0-', '1-', '3-', '99-', '-1-', '1e9-', '99999999999999999999-'),
        fc.constantFrom('', '/,', '/other,', '/__proto__,', '/' + 'n'.repeat(300) + ','),
        fc.constantFrom('', '0', '7', '99999999999999999999', '-1'),
        fc.oneof(anyRequestText, fc.constant('')),
      )
      .map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 50 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '51-["publish",{"topic":"news","message":{"_placeholder":true,"num":0}}]',
      '52-["subscribe",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]',
      '3[]',
      '39[1]',
      '4{"message":"x"}',
      '1',
      '0',
      '0{"token":5}',
    ),
  },
);

/** The text of an Engine.IO packet. */
export const engineIoPacket: Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: socketIoPacket.map((packet) => `4${packet}`) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom('0', '1', '2', '3', '5', '6', '7', 'b', '9', ' '),
        fc.oneof(fc.constantFrom('', 'probe', '{"sid":"a"}', 'AQID', '===='), fc.string({ maxLength: 10 })),
      )
      .map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
);

export interface Frame {
  readonly payload: Buffer;
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  readonly isMasked: boolean;
  /** The difference between the claimed and the real length. */
  readonly claimsMore: number;
}

/** A websocket frame, mostly correct. */
export const frame: Arbitrary<Frame> = fc.record({
  payload: fc.oneof(
    { weight: 12, arbitrary: engineIoPacket.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)) },
  ),
  opcode: fc.oneof(
    { weight: 60, arbitrary: fc.constant(1) },
    { weight: 3, arbitrary: fc.constant(2) },
    { weight: 2, arbitrary: fc.nat(15) },
  ),
  fin: fc.oneof({ weight: 40, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.boolean() }),
  rsv: fc.oneof({ weight: 60, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) }),
  isMasked: fc.oneof(
    { weight: 60, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  claimsMore: fc.oneof(
    { weight: 60, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(1, 70_000, 2 ** 31, 2 ** 40) },
  ),
});

export function encodeFrame({ payload, opcode, fin, rsv, isMasked, claimsMore }: Frame): Buffer {
  const length = payload.length + claimsMore;
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const mask = isMasked ? 0x80 : 0;
  const head =
    length < 126
      ? Buffer.from([first, mask | length])
      : length < 65_536
        ? Buffer.from([first, mask | 126, length >> 8, length & 255])
        : longHead(first, mask, length);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, isMasked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
}

function longHead(first: number, mask: number, length: number): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt8(first, 0);
  head.writeUInt8(mask | 127, 1);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** A correct frame. */
export function textFrame(text: string): Buffer {
  return encodeFrame({
    payload: Buffer.from(text),
    opcode: 1,
    fin: true,
    rsv: 0,
    isMasked: true,
    claimsMore: 0,
  });
}
