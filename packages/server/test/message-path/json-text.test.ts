import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutMember, elementsOf, measure, structureOf } from '../../src/message-path/json-text.ts';
import { damaged, escapeText, print, whiteSpace } from './printed-json.ts';

const json = fc.jsonValue({ maxDepth: 6, noUnicodeString: false, stringUnit: 'binary' });
const name = fc.oneof(fc.constantFrom('message', 'topic', 'mess\\age', '"', '__proto__', ''), fc.string());

function depth(value: unknown): number {
  return typeof value === 'object' && value !== null
    ? 1 + Math.max(0, ...Object.values(value).map(depth))
    : 0;
}

describe('cutting a member out of JSON text', () => {
  it('a member is cut out as the value that JSON.parse returns, without white space and with its depth', () => {
    const members = fc.array(fc.tuple(name, json), { maxLength: 5 });
    fc.assert(
      fc.property(
        members,
        name,
        fc.array(whiteSpace, { minLength: 1, maxLength: 7 }),
        (pairs, wanted, spaces) => {
          let at = 0;
          const next = (): string => spaces[at++ % spaces.length] ?? '';
          const inner = pairs.map(
            ([key, value]) => `${next()}${escapeText(key)}${next()}:${next()}${print(value, next)}`,
          );
          const text = `${next()}{${inner.join(',')}${next()}}${next()}`;
          const parsed = JSON.parse(text) as Record<string, unknown>;

          const cut = cutMember(text, wanted);

          expect(cut !== undefined).toBe(Object.hasOwn(parsed, wanted));
          if (!cut) return;
          expect(JSON.stringify(JSON.parse(cut.text))).toBe(JSON.stringify(parsed[wanted]));
          expect(cut.depth).toBe(depth(parsed[wanted]));
          expect(cut.text.replace(/"(?:[^"\\]|\\.)*"/g, '')).not.toMatch(/\s/);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('a value that is cut out keeps every character except white space', () => {
    const text = '{"message" : [1.0, -0, 1E+2 ,"\\u0061 b\\\\", {"" :\t[ ]}] , "x":2}';
    expect(cutMember(text, 'message')).toEqual({
      text: '[1.0,-0,1E+2,"\\u0061 b\\\\",{"":[]}]',
      depth: 3,
      containers: 3,
    });
  });

  it('the levels of a text are counted, however deep it is', () => {
    const levels = 1_000_000;
    const text = '['.repeat(levels) + ']'.repeat(levels);
    expect(measure(text)).toEqual({ text, depth: levels, containers: levels });
    expect(measure('"[[["').depth).toBe(0);
    expect(measure('[{},[[]],{}]')).toMatchObject({ depth: 3, containers: 5 });
  });
});

/** The elements of a text with an array; undefined for any other text. */
function parseArray(parse: () => unknown): unknown[] | undefined {
  try {
    const value = parse();
    return Array.isArray(value) ? (value as unknown[]) : undefined;
  } catch {
    return undefined;
  }
}

describe('the elements of an unknown array', () => {
  const spaces = fc.array(whiteSpace, { minLength: 1, maxLength: 7 });
  const array = fc.tuple(fc.array(json, { maxLength: 5 }), spaces).map(([values, between]) => {
    let at = 0;
    return print(values, () => between[at++ % between.length] ?? '');
  });
  const pieces = fc
    .array(fc.constantFrom(...'[]{},:"\\ 10e-', 'null', '\u00a0', '\n'), { maxLength: 12 })
    .map((characters) => characters.join(''));
  it('the elements of an array are those that JSON.parse returns, and other texts are refused', () => {
    let arrays = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          array,
          damaged(array, pieces),
          pieces,
          pieces.map((inner) => `[${inner}]`),
        ),
        (text) => {
          const expected = parseArray(() => JSON.parse(text));
          if (expected) arrays++;
          expect(
            parseArray(() => [...elementsOf(text)].map((one) => JSON.parse(one ?? '') as unknown)),
          ).toEqual(expected);
        },
      ),
      { numRuns: 20_000 },
    );
    expect(arrays).toBeGreaterThan(2_000);
  });

  it('the elements of a long array are found too, with pauses for other work', () => {
    const long = fc
      .tuple(fc.constantFrom('[1,{"a":"]"}]', '"[,"', '{"a,":[[]]}', '0'), fc.nat(120_000))
      .map(([one, count]) => `[${Array.from({ length: count }, () => one).join(',')}]`);
    const text = fc
      .tuple(fc.nat(700_000), fc.constantFrom('[', '",', '1'))
      .map(([length, inner]) => JSON.stringify(inner.repeat(length)));
    fc.assert(
      fc.property(fc.array(fc.oneof(long, text), { minLength: 1, maxLength: 4 }), (elements) => {
        const found = [...elementsOf(`[${elements.join(',')}]`)];
        // The matcher does not compare them, because it would print them.
        expect(found.filter((one) => one !== undefined).every((one, at) => one === elements[at])).toBe(true);
        expect(found.filter((one) => one !== undefined)).toHaveLength(elements.length);
        const ways = elements.filter((one) => one.startsWith('[') && one.length > 600_000).length;
        expect(found.filter((one) => one === undefined).length).toBeGreaterThanOrEqual(ways);
      }),
      { numRuns: 60 },
    );
  });

  it('arrays and objects are counted at all levels, and brackets inside strings are not', () => {
    fc.assert(
      fc.property(array, (text) => {
        const { containers, ...measured } = measure(text.trim());
        expect(structureOf(text, 1_000)).toEqual({ containers, depth: measured.depth });
        expect(structureOf(text, containers - 1).containers).toBe(containers);
        if (containers > 2) expect(structureOf(text, 1).containers).toBe(2);
      }),
      { numRuns: 3_000 },
    );
    expect(structureOf('"[[[[[[[[[', 9)).toEqual({ containers: 0, depth: 0 });
    expect(structureOf('"\\"[[[[[\\\\"[]', 9)).toEqual({ containers: 1, depth: 1 });
    expect(structureOf('"\\"[[[[[\\\\"[][', 9)).toEqual({ containers: 2, depth: 1 });
  });
});
