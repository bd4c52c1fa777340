import { parseTopic } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { chunkKey, decodeChunk, encodeChunk } from '../../src/log/store/encoding/chunk-codec.ts';
import * as codec from '../../src/log/store/encoding/record-codec.ts';
import { kinds } from '../../src/log/store/encoding/checksum.ts';
import { LogDamagedError } from '../../src/log/topic-log.ts';
import { chunkOf, plain } from '../contracts/store.contract.ts';

const chunk = chunkOf(3, 70_000, [
  { sequence: 70_000, messageJson: '"é"', id: 'a' },
  { sequence: 70_009, messageJson: '{"a":1}' },
]);
const topic = {
  number: 4,
  name: parseTopic('news/ü'),
  isDeclared: true,
  isDeleted: false,
  createdAt: 2 ** 40,
  keeps: true,
  gone: { sequence: 9, ordinal: 8, bytes: 7 },
};
const block = { first: 6, time: 5, runs: [{ topic: 3, count: 400 }] };
const ids = {
  block: 6,
  time: 5,
  ids: [{ key: '\u0001'.repeat(16), digest: '\u00ff'.repeat(16), sequence: 6 }],
};
const state = {
  epoch: 'abc',
  head: 2 ** 52,
  time: 3,
  trustedTime: 2,
  topicNumber: 4,
  inCommon: { sequence: 9 },
};
const deletions: [string, number][] = [
  ['gone', 7],
  ['é', 6],
];
const clockSteps = [
  { sequence: 7, before: 2 ** 52, after: 0 },
  { sequence: 9, before: 5, after: 4 },
];
const revocations = [
  { subject: 'ann', time: 2 ** 41, ahead: [] },
  { subject: 'bób/*', time: 0, ahead: [2 ** 41 + 1, 5] },
];
const name = Buffer.from('name');

/** For each kind of value: its bytes, its key, its decoder, and the expected content. */
const values = {
  chunk: {
    value: encodeChunk(chunk, chunkKey(3, 70_000)),
    key: chunkKey(3, 70_000),
    decode: (value: Buffer, key: Buffer) => plain(decodeChunk(value, key)),
    content: chunk,
  },
  topic: {
    value: codec.encodeTopic(topic),
    key: codec.topicKey(4),
    decode: codec.decodeTopic,
    content: topic,
  },
  block: {
    value: codec.encodeBlock(block),
    key: codec.blockKey(6),
    decode: codec.decodeBlock,
    content: block,
  },
  ids: { value: codec.encodeIds(ids), key: codec.blockKey(6), decode: codec.decodeIds, content: ids },
  state: { value: codec.encodeState(state, name), key: name, decode: codec.decodeState, content: state },
  deletions: {
    value: codec.encodeDeletions(deletions, name),
    key: name,
    decode: codec.decodeDeletions,
    content: deletions,
  },
  'steps of the clock': {
    value: codec.encodeClockSteps(clockSteps, name),
    key: name,
    decode: codec.decodeClockSteps,
    content: clockSteps,
  },
  revocations: {
    value: codec.encodeRevocations(revocations, name),
    key: name,
    decode: codec.decodeRevocations,
    content: revocations,
  },
  text: {
    value: codec.encodeText('7', kinds.format, name),
    key: name,
    decode: (value: Buffer, key: Buffer) => codec.decodeText(value, kinds.format, key, 'it'),
    content: '7',
  },
};

describe.each(Object.entries(values))('the encoded %s', (kind, { value, key, decode, content }) => {
  it('an encoded value decodes to what was encoded', () => {
    expect(decode(value, key)).toEqual(content);
  });

  it('an encoded value is recognised as damaged after any one bit of it has changed', () => {
    for (const damagedValue of withOneBitFlipped(value)) {
      expect(() => decode(damagedValue, key)).toThrow(LogDamagedError);
    }
  });

  it('an encoded value is recognised as damaged after any one bit of its key has changed', () => {
    for (const damagedKey of withOneBitFlipped(key)) {
      expect(() => decode(value, damagedKey)).toThrow(LogDamagedError);
    }
  });

  it('an encoded value is recognised as damaged when it is shorter or longer', () => {
    for (let size = 0; size < value.length; size++) {
      expect(() => decode(value.subarray(0, size), key)).toThrow(LogDamagedError);
    }
    expect(() => decode(Buffer.concat([value, Buffer.alloc(1)]), key)).toThrow(LogDamagedError);
  });

  it('an encoded value is not taken for a value of another kind', () => {
    for (const other of Object.keys(values) as (keyof typeof values)[]) {
      if (other !== kind) expect(() => values[other].decode(value, key)).toThrow(LogDamagedError);
    }
  });
});

describe('a chunk', () => {
  it('a chunk is read by its head alone until its records are used', () => {
    const key = chunkKey(3, 70_000);
    const value = encodeChunk(chunk, key);
    value[value.length - 1] = 0;
    const read = decodeChunk(value, key);
    expect(read.ordinal).toBe(chunk.ordinal);
    expect(() => read.records).toThrow(
      'The messages of topic number 3 in block 70000 cannot be read: the data is damaged.',
    );
  });

  it('the keys of chunks sort by topic and block', () => {
    const keys = [
      chunkKey(1, 2 ** 40),
      chunkKey(2, 1),
      chunkKey(2, 255),
      chunkKey(2, 256),
      chunkKey(2, 2 ** 32),
      chunkKey(256, 1),
    ];
    expect(keys.toSorted((a, b) => a.compare(b))).toEqual(keys);
  });
});

function* withOneBitFlipped(bytes: Buffer): Generator<Buffer, void, undefined> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = Buffer.from(bytes);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield copy;
  }
}
