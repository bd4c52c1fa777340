import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  errorCodes,
  FanfareError,
  fieldsOf,
  parseId,
  parseSubscribe,
  parseUnsubscribe,
} from '@fanfare/protocol';

describe('requests', () => {
  it('any input is parsed, or refused with a code of PROTOCOL.md', () => {
    const topic = fc.oneof(fc.constant('news'), fc.anything());
    const request = fc.oneof(
      fc.anything(),
      fc.record({ topic, envelope: fc.anything(), from: fc.anything() }),
    );
    fc.assert(
      fc.property(request, fc.constantFrom(parseSubscribe, parseUnsubscribe), (input, parse) => {
        try {
          expect(parse(input).topic).toBe((input as { topic: string }).topic);
        } catch (error) {
          if (!(error instanceof FanfareError)) throw error;
          expect(Object.keys(errorCodes)).toContain(error.code);
          expect(JSON.parse(JSON.stringify(error.toProblem()))).toEqual(error.toProblem());
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('unknown fields are ignored', () => {
    expect(parseSubscribe({ topic: 'news', later: true })).toEqual({ topic: 'news', form: 'plain' });
  });

  it('inherited properties are not read as fields', () => {
    const field = fieldsOf(JSON.parse('{"__proto__": {"topic": "news"}}'), 'test');
    expect(field('topic')).toBeUndefined();
    expect(field('toString')).toBeUndefined();
    expect(field('__proto__')).toEqual({ topic: 'news' });
  });

  it.each([
    ['new', { kind: 'new' }],
    ['earliest', { kind: 'earliest' }],
    ['last', { kind: 'last', count: 1 }],
    [{ last: 0 }, { kind: 'last', count: 0 }],
    [{ time: 1_800_000_000_000 }, { kind: 'time', ms: 1_800_000_000_000 }],
    ['Ab-_9.0', { kind: 'offset', offset: { epoch: 'Ab-_9', sequence: 0 } }],
  ])('may start from %j', (from, parsed) => {
    expect(parseSubscribe({ topic: 'news', from }).from).toEqual(parsed);
  });

  it.each(['', 'a\n', 'a'.repeat(256), '\ud800', 1, null, {}])('the id %j is refused', (id) => {
    expect(() => parseId(id)).toThrow(expect.objectContaining({ code: 'bad_request' }) as Error);
  });
});
