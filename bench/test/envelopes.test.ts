import { beforeEach, describe, expect, it } from 'vitest';
import { Checker } from '../src/load/checker.ts';
import { Content } from '../src/load/content.ts';
import { bytesAfterMessage, Envelopes, envelopeStart } from '../src/load/envelopes.ts';

const content = new Content(64);
const topic = 'tea';
const epoch = 'nq3Zb0eVw2E';
const timeMs = 1_795_468_944_253;

interface Altered {
  readonly sequence?: number;
  readonly time?: number;
  readonly epoch?: string;
  readonly replay?: string;
}

/** The event of a message whose place in the log is its number plus ten. */
function event(number: number, altered: Altered = {}): Buffer {
  const { sequence = number + 10, time = timeMs + number, replay } = altered;
  const end = replay === undefined ? '' : `,"replay":"${replay}"`;
  const rest = `,"offset":"${altered.epoch ?? epoch}.${sequence}","time":${time}${end}}]`;
  return Buffer.concat([envelopeStart(topic, content.message(number)), Buffer.from(rest)]);
}

const stored = (number: number, altered: Altered = {}): Buffer =>
  event(number, { replay: topic, ...altered });
const state = (name: string): Buffer =>
  Buffer.from(`42["state",{"topic":"${topic}","state":"${name}","offset":""}]`);

describe('the checker of envelopes', () => {
  let envelopes: Envelopes;

  /** Five messages are published. The places of the first three are known, and two messages do not matter. */
  beforeEach(() => {
    const checker = new Checker({
      subscribers: 1,
      topics: [topic],
      publishers: 1,
      messageBytes: 64,
      bytesAfterMessage,
    });
    for (let number = 0; number < 5; number++)
      checker.published(0, 0, envelopeStart(topic, content.message(number)));
    checker.subscribed(0, 0, 2);
    envelopes = new Envelopes({ checker, subscriber: 0, topic, epoch, sequences: [10, 11, 12] });
  });

  const take = (bytes: Buffer): boolean => {
    const around = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
    return envelopes.take(around, 6, 6 + bytes.length);
  };

  it('the checker of envelopes accepts stored messages, then the state, then live messages', () => {
    expect([stored(2), stored(3)].map(take)).toEqual([true, true]);
    expect(envelopes.isLive).toBe(false);
    expect(take(state('live'))).toBe(false);
    expect(envelopes.isLive).toBe(true);
    expect(take(event(4))).toBe(true);
  });

  it('the checker of envelopes accepts messages of a subscription that falls behind again', () => {
    take(stored(2));
    for (const bytes of [state('live'), state('catching_up'), stored(3), state('live'), event(4)])
      take(bytes);
    expect(envelopes.isLive).toBe(true);
  });

  it.each([
    ['the first message is missing', [stored(3)], 'got message 3 of topic'],
    ['a message is missing', [stored(2), stored(4)], 'got message 4 of topic'],
    ['a message comes again', [stored(2), stored(2)], 'another offset'],
    [
      'a message comes again with another offset',
      [stored(2), stored(2, { sequence: 13 })],
      'got message 2 of topic',
    ],
    [
      'a message comes again once the subscription is live',
      [stored(2), state('live'), event(2, { sequence: 13 })],
      'again',
    ],
    ['two messages are swapped', [stored(2), stored(4), stored(3)], 'got message 4 of topic'],
    ['a message comes that was not requested', [stored(1)], 'got message 1 of topic'],
    ['a live message has `replay`', [stored(2), state('live'), stored(3)], 'no such envelope'],
    ['a stored message has no `replay`', [event(2)], 'no such envelope'],
    ['a message is for another subscription', [stored(2, { replay: 'ten' })], 'no such envelope'],
    [
      'the offset is not the one in the answer to the publish',
      [stored(2, { sequence: 11 })],
      'the place 12 with another',
    ],
    ['the offset goes back', [stored(2), stored(3, { sequence: 9 })], 'another offset'],
    ['the offset is of another log', [stored(2, { epoch: 'nq3Zb0eVw2F' })], 'another offset'],
    ['the time goes back', [stored(2), stored(3, { time: timeMs - 1 })], 'no such envelope'],
    ['a state comes twice', [state('live'), state('live')], 'a state that it is in'],
    [
      'another event comes',
      [Buffer.from('42["gap",{"topic":"tea","dropped":1,"envelope":true}]')],
      'no such envelope',
    ],
  ])('the checker of envelopes detects that %s', (_what, events, sentence) => {
    expect(() => events.map(take)).toThrow(sentence);
  });

  it.each([30, 60, 90])('the checker of envelopes detects an altered byte at %i', (at) => {
    const bytes = stored(2);
    bytes.write('~', at);
    expect(() => take(bytes)).toThrow('altered: at byte');
  });
});
