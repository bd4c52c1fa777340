import { FanfareError } from '@fanfare/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewRecord } from '../../src/log/topic-log.ts';
import { Admission } from '../../src/message-path/admit.ts';
import { elementsOf, linesOf } from '../../src/message-path/json-text.ts';
import { admitMany, type BatchParts } from '../../src/message-path/publish-many.ts';
import { PublishScanner, type PublishMembers } from '../../src/message-path/publish-scanner.ts';
import { anything } from './fake-fan-out.ts';
import { damaged, escapeText, print, whiteSpace } from './printed-json.ts';

/** The code and the detail of a refusal, or the record of a publish. */
type Outcome = NewRecord | string;

function outcomeOf(result: unknown): Outcome {
  return result instanceof FanfareError ? `${result.code}: ${result.message}` : (result as NewRecord);
}

function admissionFor(publishBytesMax: number): Admission {
  return new Admission({ limits: { publishBytesMax }, isCovered: (topic) => topic.startsWith('covered') });
}

/** Admits a batch in the way of the server. */
async function scan(text: string, isLines: boolean, admission: Admission): Promise<Outcome | Outcome[]> {
  const parts = { admission, limits: { batchMessagesMax: Infinity } } as Partial<BatchParts> as BatchParts;
  try {
    return (await admitMany(anything, isLines ? { lines: text } : { array: text }, parts)).map(outcomeOf);
  } catch (error) {
    return outcomeOf(error);
  }
}

/** Admits each publish of a batch by itself, with JSON.parse. */
function parse(text: string, isLines: boolean, admission: Admission): Outcome | Outcome[] {
  const admit = (json: string): Outcome => {
    try {
      return outcomeOf(admission.admit(anything, { json }));
    } catch (error) {
      return outcomeOf(error);
    }
  };
  if (isLines)
    return text
      .split('\n')
      .flatMap((line) => (/[^ \t\r]/.test(line) ? [admit(line.replace(/^[ \t\r]+/, ''))] : []));
  try {
    const outcomes: Outcome[] = [];
    for (const element of elementsOf(text)) {
      if (element === undefined) continue;
      const outcome = admit(element);
      if (typeof outcome === 'string' && outcome.includes('must be JSON,')) return outcome;
      outcomes.push(outcome);
    }
    return outcomes;
  } catch (error) {
    return `bad_request: A publish must be JSON, without NaN and Infinity: ${(error as Error).message}.`;
  }
}

/** The number of publishes that are read in one pass. */
function scanned(text: string, isLines: boolean): number {
  const scanner = new PublishScanner(text, isLines);
  try {
    return [...(isLines ? linesOf(text, scanner) : elementsOf(text, scanner))].filter(
      (one) => typeof one === 'object',
    ).length;
  } catch {
    return 0;
  }
}

const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false, stringUnit: 'binary' });
const nested = fc
  .tuple(fc.constantFrom('[', '{"a":'), fc.integer({ min: 60, max: 84 }), fc.constantFrom(0, 1_100))
  .map(([open, levels, padding]) => {
    const close = open === '[' ? ']' : '}';
    return `${open.repeat(levels)}"${'x'.repeat(padding)}"${close.repeat(levels)}`;
  });
const wide = fc.integer({ min: 1_018, max: 1_044 }).map((count) => `[${'[],'.repeat(count)}0]`);
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('"topic"', '"message"', '"id"') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"to\\u0070ic"',
      '"\\u006dessage"',
      '"i\\u0064"',
      '"__proto__"',
      '""',
      '"Topic"',
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }).map(escapeText) },
);
const topic = fc.oneof(
  fc.constantFrom(
    '"news"',
    '"a/b"',
    '"covered/1"',
    '"caf\\u00e9"',
    '"語"',
    '""',
    '"*"',
    '"a\\nb"',
    '"\\ud800"',
    // The text of the second is the value of the first.
    '"a\\\\b"',
    '"a\\b"',
  ),
  fc.string().map(escapeText),
);
const number = fc.constantFrom(
  '0',
  '-0',
  '1.0',
  '12345678901234567890',
  '1e5',
  '-1.5E-3',
  '1E+2',
  '01',
  '1.',
  '.5',
  '-',
  '+1',
  '1e',
  'NaN',
);

/** The text of one publish, often a usual one. White space is in it if `next` returns some. */
function publishText(next: () => string): fc.Arbitrary<string> {
  const value = fc.oneof(
    { weight: 6, arbitrary: json.map((one) => print(one, next)) },
    { weight: 2, arbitrary: topic },
    { weight: 1, arbitrary: number },
    { weight: 1, arbitrary: nested },
    { weight: 1, arbitrary: wide },
    { weight: 1, arbitrary: fc.constantFrom('true', 'false', 'null', 'tru', 'nul') },
  );
  const join = (members: readonly (readonly [string, string])[]): string =>
    `${next()}{${members.map(([key, text]) => `${next()}${key}${next()}:${next()}${text}${next()}`).join(',')}}${next()}`;
  const usual = fc
    .tuple(topic, value, fc.option(fc.string({ minLength: 1 }).map(escapeText)), fc.boolean())
    .map(([of, message, id, isReversed]) => {
      const members = [['"topic"', of] as const, ['"message"', message] as const];
      const all = id === null ? members : [...members, ['"id"', id] as const];
      return join(isReversed ? all.toReversed() : all);
    });
  return fc.oneof(
    { weight: 5, arbitrary: usual },
    { weight: 2, arbitrary: fc.array(fc.tuple(name, value), { maxLength: 5 }).map(join) },
    { weight: 1, arbitrary: value },
  );
}

function batchText(isLines: boolean): fc.Arbitrary<string> {
  return fc.array(whiteSpace, { minLength: 1, maxLength: 7 }).chain((spaces) => {
    let at = 0;
    const next = (): string => {
      const space = spaces[at++ % spaces.length] ?? '';
      return isLines ? space.replaceAll('\n', ' ') : space;
    };
    const texts = fc.array(publishText(next), { maxLength: 6 });
    return texts.map((all) => (isLines ? all.join('\n') : `${next()}[${all.join(',')}]${next()}`));
  });
}

const pieces = fc
  .array(fc.constantFrom(...'[]{},:"\\ 10e-.u', 'null', '\u00a0', '\u0000', '\u001f', '\n', '\ud800'), {
    maxLength: 6,
  })
  .map((characters) => characters.join(''));

describe.each([
  ['an array', false],
  ['lines', true],
])('a batch as %s', (_form, isLines) => {
  it('a batch that is scanned gets the same records and refusals as with JSON.parse, whatever its text is', async () => {
    let read = 0;
    let records = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(batchText(isLines), damaged(batchText(isLines), pieces)),
        fc.constantFrom(60, 1_000_000),
        async (text, publishBytesMax) => {
          const admission = admissionFor(publishBytesMax);
          const outcomes = await scan(text, isLines, admission);
          expect(outcomes).toEqual(parse(text, isLines, admission));
          read += scanned(text, isLines);
          if (typeof outcomes === 'object')
            records += Array.isArray(outcomes) ? outcomes.filter((one) => typeof one === 'object').length : 0;
        },
      ),
      { numRuns: 6_000 },
    );
    // Most of them are read in one pass, or the property says nothing.
    expect(records).toBeGreaterThan(1_000);
    expect(read).toBeGreaterThan(records * 0.9);
  });
});

/** Counts arrays and objects, and the levels of their nesting. */
function measure(value: unknown): { readonly containers: number; readonly depth: number } {
  if (typeof value !== 'object' || value === null) return { containers: 0, depth: 0 };
  const inner = Object.values(value).map(measure);
  return {
    containers: inner.reduce((sum, { containers }) => sum + containers, 1),
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
  };
}

function scanAll(text: string): (PublishMembers | string | undefined)[] {
  return [...elementsOf(text, new PublishScanner(text, false))];
}

describe('a scanned publish', () => {
  it('a scanned publish has the members that JSON.parse returns, and the size of its message', () => {
    let count = 0;
    fc.assert(
      fc.property(batchText(false), (text) => {
        const parsed = parsedArray(text);
        fc.pre(parsed !== undefined);
        for (const [at, members] of scanAll(text).entries()) {
          if (typeof members !== 'object') continue;
          count++;
          const { id, message, ...others } = parsed[at] as Record<string, unknown>;
          expect({ topic: members.topic, id: members.id }).toEqual({ topic: others['topic'], id });
          expect(members.message === undefined).toBe(message === undefined);
          if (members.message === undefined) continue;
          const { text: messageJson, ...size } = members.message;
          expect(JSON.stringify(JSON.parse(messageJson))).toBe(JSON.stringify(message));
          expect(messageJson.replace(/"(?:[^"\\]|\\.)*"/g, '')).not.toMatch(/\s/);
          expect(size).toEqual(measure(message));
        }
      }),
      { numRuns: 3_000 },
    );
    expect(count).toBeGreaterThan(3_000);
  });

  it('a publish is scanned at every place of a long batch', () => {
    const publish = (length: number): string => {
      const empty = '{"topic":"news","message":{"a\\u0041":[true,-1.5e10,"\\n",null]},"id":""}';
      return empty.replace('"id":""', `"id":"${'x'.repeat(length - empty.length)}"`);
    };
    for (let length = 90; length < 190; length++) {
      const text = `[${Array.from({ length: 600 }, () => publish(length)).join(', ')}]`;
      expect(scanAll(text)).toEqual(
        (JSON.parse(text) as { readonly id: string }[]).map(({ id }) => ({
          topic: 'news',
          id,
          message: { text: '{"a\\u0041":[true,-1.5e10,"\\n",null]}', containers: 2, depth: 2 },
        })),
      );
    }
  });

  it('publishes of all sizes get the same records, also those that are too long to be scanned', async () => {
    const admission = admissionFor(1_000_000);
    const sizes = [
      1,
      16_000,
      16_384,
      20_000,
      300_000,
      2,
      16_300,
      16_400,
      ...Array.from({ length: 40 }, (_, at) => at * 400),
    ];
    const publishes = sizes.map((size) => JSON.stringify({ topic: 'news', message: 'x'.repeat(size) }));
    for (const isLines of [false, true]) {
      const text = isLines ? publishes.join('\n') : `[${publishes.join(',')}]`;
      const outcomes = await scan(text, isLines, admission);
      expect(outcomes).toEqual(parse(text, isLines, admission));
      expect(outcomes).toHaveLength(sizes.length);
      expect(scanned(text, isLines)).toBeGreaterThan(20);
    }
  });
});

function parsedArray(text: string): unknown[] | undefined {
  try {
    return JSON.parse(text) as unknown[];
  } catch {
    return undefined;
  }
}
