/*
 * The characters of JSON text, in an array of code units that has a 0 at its end.
 */

/** @returns the place after characters that a string can have without an escape */
export function plainEnd(codes: Uint16Array, from: number): number {
  let at = from;
  while (isPlain(codes[at] as number)) at++;
  return at;
}

function isPlain(code: number): boolean {
  return code > backslash || (code >= space && code !== quote && code !== backslash);
}

/** @returns the place after the digits that begin at `from` */
export function digitsEnd(codes: Uint16Array, from: number): number {
  let at = from;
  while (isDigit(codes[at] as number)) at++;
  return at;
}

/** @returns the length of the escape sequence at a place; 0 if it is not valid */
export function escapeLength(codes: Uint16Array, at: number): number {
  const code = codes[at + 1] as number;
  if (code !== smallU) return code < 128 && simpleEscapes[code] === 1 ? 2 : 0;
  for (let i = 2; i < 6; i++) if (!isHexDigit(codes[at + i] as number)) return 0;
  return 6;
}

function isDigit(code: number): boolean {
  return code >= zero && code <= nine;
}

function isHexDigit(code: number): boolean {
  // The bit makes a letter small.
  const small = code | 0x20;
  return isDigit(code) || (small >= smallA && small <= smallF);
}

export const tab = 0x09;
export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;
export const space = 0x20;
export const quote = 0x22;
export const plus = 0x2b;
export const comma = 0x2c;
export const minus = 0x2d;
export const dot = 0x2e;
export const zero = 0x30;
const nine = 0x39;
export const colon = 0x3a;
export const largeE = 0x45;
export const openBracket = 0x5b;
export const backslash = 0x5c;
export const closeBracket = 0x5d;
const smallA = 0x61;
export const smallE = 0x65;
export const smallF = 0x66;
export const smallN = 0x6e;
export const smallT = 0x74;
const smallU = 0x75;
export const openBrace = 0x7b;
export const closeBrace = 0x7d;

const simpleEscapes = new Uint8Array(128);
for (const character of '"\\/bfnrt') simpleEscapes[character.charCodeAt(0)] = 1;
