import { decodePayload } from 'engine.io-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinPackets, parsePacket, PayloadReader } from '../src/packet.ts';

const separator = '\u001E';

/** What the stock parser reads: it ends at the first packet that cannot be read. */
function stock(payload: string): readonly string[] {
  return decodePayload(payload).map((packet) =>
    packet.type === 'error' ? 'error' : describePacket(packet.type, (packet.data ?? '') as string | Buffer),
  );
}

function describePacket(type: string, data: string | Buffer): string {
  return typeof data === 'string' ? `${type}:${data}` : `binary:${data.toString('base64')}`;
}

function ours(payload: string): readonly string[] {
  const reader = new PayloadReader(payload);
  const packets: string[] = [];
  for (let text = reader.next(); text !== undefined; text = reader.next()) {
    const packet = parsePacket(text);
    if (!packet) return [...packets, 'error'];
    const { type, data } = packet;
    packets.push(describePacket(type, type === 'binary' ? Buffer.from(data, 'base64') : data));
  }
  return packets;
}

/** Texts that are likely to be packets, and texts that are not. */
const texts = fc.string({
  unit: fc.constantFrom(...'0123456789b[]{}"/,-=', separator, ' ', 'é', '🚀', '\0', 'x'),
  maxLength: 12,
});

describe('packets of Engine.IO', () => {
  it('a payload is read as the stock parser reads it', () => {
    fc.assert(
      fc.property(texts, (payload) => {
        expect(ours(payload)).toEqual(stock(payload));
      }),
      { numRuns: 5_000 },
    );
  });

  it('a payload that is joined is read as the same packets', () => {
    const packets = fc.array(
      fc.string({ unit: 'grapheme' }).map((text) => `4${text.replaceAll(separator, '')}`),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(packets, (list) => {
        expect(stock(joinPackets(list))).toEqual(list.map((text) => `message:${text.slice(1)}`));
      }),
    );
  });

  it.each(['__proto__', 'constructor', '', '7', 'toString'])('is not a packet: %j', (text) => {
    expect(parsePacket(text)).toBeUndefined();
  });
});
