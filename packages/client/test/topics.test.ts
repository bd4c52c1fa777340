import { connect, type MessageOf, type TopicOf } from '@fanfare/client';
import { expect, it, onTestFinished } from 'vitest';

interface Topics {
  news: string;
  'orders/*': { item: string };
  'logs/**': number;
}

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** That this compiles is the test: each line is an error of the compiler when it does not hold. */
export const holds: readonly true[] = [
  true satisfies Same<MessageOf<Topics, 'news'>, string>,
  true satisfies Same<MessageOf<Topics, 'orders/*'>, { item: string }>,
  true satisfies Same<MessageOf<Topics, 'orders/7'>, { item: string }>,
  true satisfies Same<MessageOf<Topics, 'logs'>, number>,
  true satisfies Same<MessageOf<Topics, 'logs/a/b'>, number>,
  true satisfies Same<MessageOf<object, 'anything'>, unknown>,
  true satisfies Same<Extract<'nothing', TopicOf<Topics>>, never>,
];

it('types topics and messages, and refuses others when it compiles', () => {
  const fanfare = connect<Topics>('http://localhost:9');
  onTestFinished(() => fanfare.close());
  const compiled = (): void => {
    fanfare.subscribe('orders/7', ({ message }) => message.item.length);
    void fanfare.publish('orders/7', { item: 'tea' });
    // @ts-expect-error -- another message
    void fanfare.publish('orders/7', 'tea');
    // @ts-expect-error -- another topic
    fanfare.subscribe('elsewhere');
    // @ts-expect-error -- a number
    fanfare.subscribe('logs/a', ({ message }) => message.length);
  };
  expect(compiled).toBeTypeOf('function');
});
