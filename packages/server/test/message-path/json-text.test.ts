import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutMember, cutMembers, depthOf } from '../../src/message-path/json-text.ts';

const json = fc.jsonValue({ maxDepth: 6, noUnicodeString: false, stringUnit: 'binary' });
const name = fc.oneof(fc.constantFrom('message', 'topic', 'mess\\age', '"', '__proto__', ''), fc.string());
const whiteSpace = fc
  .array(fc.constantFrom(' ', '\n', '\r', '\t'), { maxLength: 3 })
  .map((characters) => characters.join(''));

/** Prints a value as JSON text in some of the many ways that there are. */
function print(value: unknown, next: () => string): string {
  const parts = (open: string, inner: string[], close: string): string =>
    `${next()}${open}${next()}${inner.join(`${next()},${next()}`)}${next()}${close}${next()}`;
  if (Array.isArray(value))
    return parts(
      '[',
      value.map((item) => print(item, next)),
      ']',
    );
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, inner]) => `${escapeText(key)}${next()}:${print(inner, next)}`,
    );
    return parts('{', members, '}');
  }
  return typeof value === 'string' ? escapeText(value) : JSON.stringify(value);
}

function escapeText(text: string): string {
  return text.length % 2 === 0
    ? JSON.stringify(text)
    : `"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`;
}

function depth(value: unknown): number {
  return typeof value === 'object' && value !== null
    ? 1 + Math.max(0, ...Object.values(value).map(depth))
    : 0;
}

describe('cutting a member out of JSON text', () => {
  it('gives the text of the value that JSON.parse gives, without white space and with its depth', () => {
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

  it('gives the same for each element of an array as for the element alone', () => {
    const object = fc.array(fc.tuple(name, json), { maxLength: 3 });
    const elements = fc.array(fc.oneof(object, json), { maxLength: 5 });
    fc.assert(
      fc.property(
        elements,
        name,
        fc.array(whiteSpace, { minLength: 1, maxLength: 7 }),
        (values, wanted, spaces) => {
          let at = 0;
          const next = (): string => spaces[at++ % spaces.length] ?? '';
          const isMembers = (value: unknown): value is [string, unknown][] =>
            Array.isArray(value) && value.every((pair) => Array.isArray(pair) && typeof pair[0] === 'string');
          const texts = values.map((value) => {
            if (!isMembers(value)) return print(value, next);
            const members = value.map(
              ([key, inner]) => `${escapeText(key)}${next()}:${print(inner ?? null, next)}`,
            );
            return `${next()}{${next()}${members.join(`${next()},${next()}`)}${next()}}${next()}`;
          });
          const text = `${next()}[${texts.join(',')}${next()}]${next()}`;
          JSON.parse(text);
          expect(cutMembers(text, wanted)).toEqual(
            texts.map((one) => (one.trimStart().startsWith('{') ? cutMember(one, wanted) : undefined)),
          );
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('leaves every character of a value but the white space', () => {
    const text = '{"message" : [1.0, -0, 1E+2 ,"\\u0061 b\\\\", {"" :\t[ ]}] , "x":2}';
    expect(cutMember(text, 'message')).toEqual({ text: '[1.0,-0,1E+2,"\\u0061 b\\\\",{"":[]}]', depth: 3 });
  });

  it('counts the levels of a text that no recursion would survive', () => {
    const levels = 1_000_000;
    expect(depthOf('['.repeat(levels) + ']'.repeat(levels))).toBe(levels);
    expect(depthOf('"[[["')).toBe(0);
    expect(depthOf('[{},[[]],{}]')).toBe(3);
  });
});
