import { beforeEach, describe, expect, it } from 'vitest';
import { Checker, ContentError } from '../src/load/checker.ts';
import { Content } from '../src/load/content.ts';

const content = new Content(64);
const topics = ['tea', 'coffee'];

/** A delivery as it arrives: the topic before the message, two bytes after it. */
const deliveryOf = (topic: number, sequence: number): Buffer =>
  Buffer.from(`${topics[topic]} ${content.message(sequence)}\r\n`);

describe('the checker', () => {
  let checker: Checker;
  let count: number;

  beforeEach(() => {
    count = 0;
    checker = new Checker({ subscribers: 2, topics, publishers: 2, messageBytes: 64, bytesAfterMessage: 2 });
    checker.subscribed(0, 0);
    checker.subscribed(0, 1);
    checker.subscribed(1, 0);
  });

  /** @returns the bytes that should arrive */
  function publish(topic: number, publisher = 0): Buffer {
    const delivery = deliveryOf(topic, count++);
    checker.published(topic, publisher, delivery);
    return delivery;
  }

  const receive = (subscriber: number, bytes: Buffer): number =>
    checker.received(subscriber, bytes, 0, bytes.length);

  it('the checker accepts published messages, and reports missing ones until they have come', () => {
    const [first, second] = [publish(0), publish(1)];
    expect(checker.missing()).toBe(
      "3 deliveries are missing: subscriber 0 waits for message 0 of topic 'tea'",
    );
    expect(receive(0, first)).toBe(0);
    expect(receive(0, second)).toBe(1);
    expect(checker.missing()).toBe(
      "1 deliveries are missing: subscriber 1 waits for message 0 of topic 'tea'",
    );
    receive(1, first);
    expect(checker.missing()).toBeUndefined();
  });

  it('the checker finds a delivery in the middle of a read', () => {
    const first = publish(0);
    const bytes = Buffer.concat([Buffer.from('before'), first, Buffer.from('after')]);
    expect(checker.received(0, bytes, 6, 6 + first.length)).toBe(0);
  });

  it('the checker allows topics, and publishers of one topic, to overtake each other', () => {
    const [first, second, third] = [publish(0, 0), publish(0, 1), publish(1, 0)];
    for (const bytes of [third, second, first]) receive(0, bytes);
    for (const bytes of [first, second]) receive(1, bytes);
    expect(checker.missing()).toBeUndefined();
  });

  it('the checker detects a dropped message when the next one comes', () => {
    publish(0);
    const second = publish(0);
    expect(() => receive(1, second)).toThrow(
      new ContentError(
        "Subscriber 1 got message 1 of topic 'tea' when message 0 was due: that one was dropped or comes too late.",
      ),
    );
  });

  it('the checker detects a dropped last message', () => {
    const [first] = [publish(0), publish(0)];
    receive(0, first);
    receive(1, first);
    expect(checker.missing()).toContain('2 deliveries are missing: subscriber 0 waits for message 1');
  });

  it.each([false, true])(
    'the checker detects a repeated message (every subscriber has it already: %s)',
    (isEverywhere) => {
      const first = publish(0);
      receive(0, first);
      if (isEverywhere) checker.isEverywhere(0);
      expect(() => receive(0, first)).toThrow(
        new ContentError("Subscriber 0 got message 0 of topic 'tea' again."),
      );
    },
  );

  it('the checker detects two swapped messages', () => {
    const [first, second, third] = [publish(0), publish(0), publish(0)];
    receive(0, first);
    expect(() => receive(0, third)).toThrow("got message 2 of topic 'tea' when message 1 was due");
    receive(0, second);
  });

  it.each([
    ['the topic', 0, 'Subscriber 0 got message 0 altered: at byte 0 '],
    ['the message', 40, 'Subscriber 0 got message 0 altered: at byte 40 '],
    ['the bytes after it', -1, 'Subscriber 0 got message 0 altered: at byte 69 '],
  ])('the checker detects an altered byte in %s', (_where, at, sentence) => {
    const bytes = Buffer.from(publish(0));
    bytes.write('~', at === -1 ? bytes.length - 1 : at);
    expect(() => receive(0, bytes)).toThrow(sentence);
  });

  it('the checker detects an extra byte before the message', () => {
    const bytes = Buffer.concat([Buffer.from(' '), publish(0)]);
    expect(() => receive(0, bytes)).toThrow('Subscriber 0 got message 0 altered');
  });

  it('the checker detects one message in the place of another', () => {
    publish(0);
    expect(() => receive(0, deliveryOf(0, 7))).toThrow('Subscriber 0 got bytes that nobody published');
    expect(() => receive(0, Buffer.from('nonsense'))).toThrow('Subscriber 0 got bytes that nobody published');
  });

  it('the checker detects a message of a topic that the subscriber did not subscribe to', () => {
    const first = publish(1);
    expect(() => receive(1, first)).toThrow(
      new ContentError("Subscriber 1 got message 0 of topic 'coffee', to which it is not subscribed."),
    );
  });
});

describe('the content of messages', () => {
  it.each([16, 64, 1024])('each message has its own content, and is %i bytes long', (bytes) => {
    const made = new Content(bytes);
    const messages = Array.from({ length: 200 }, (_, sequence) => made.message(sequence));
    expect(new Set(messages).size).toBe(200);
    expect(new Set(messages.map(({ length }) => length))).toEqual(new Set([bytes]));
  });
});
