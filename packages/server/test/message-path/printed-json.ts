import fc from 'fast-check';

export const whiteSpace: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(' ', '\n', '\r', '\t'), { maxLength: 3 })
  .map((characters) => characters.join(''));

/** Prints a value as JSON text in one of many possible ways. @param next - returns the next white space */
export function print(value: unknown, next: () => string): string {
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

/** Prints a text of even length as JSON.stringify does, another with an escape for each character. */
export function escapeText(text: string): string {
  return text.length % 2 === 0
    ? JSON.stringify(text)
    : `"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`;
}

/** Texts with a part replaced at any place. @param pieces - the replacements */
export function damaged(texts: fc.Arbitrary<string>, pieces: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(texts, fc.nat(), fc.nat({ max: 2 }), pieces).map(([text, at, length, piece]) => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + piece + text.slice(start + length);
  });
}
