import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(source).map((name) => readFileSync(`${source}${name}`, 'utf8'));
const exported = [...readFileSync(`${source}index.ts`, 'utf8').matchAll(/\b[A-Za-z]+(?=,|\s*\})/g)].map(
  ([name]) => name,
);

it.each([...new Set(exported)])('%s is documented with an example', (name) => {
  const declaration = new RegExp(
    `/\\*\\*((?:(?!\\*/)[^])*)\\*/\\nexport (?:async )?(?:class|function|interface|type) ${name}\\b`,
  );
  const [documentation] = files.flatMap((text) => declaration.exec(text)?.[1] ?? []);
  expect(documentation).toMatch(/\w+.*\n[^]*@example\n \* \S/);
});

it('finds the public names', () => {
  expect(exported).toEqual(
    expect.arrayContaining(['connect', 'Fanfare', 'FanfareError', 'Envelope', 'Gap', 'TopicOf']),
  );
  expect(exported.length).toBeGreaterThan(20);
});
