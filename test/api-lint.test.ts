import { asyncApi, openApi } from '@fanfare/protocol/api';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, it } from 'vitest';

/** The remarks of the linter about a document, also warnings. */
async function remarksOn(document: object): Promise<string[]> {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source: JSON.stringify(document), config });
  return problems.map(({ ruleId, message }) => `${ruleId}: ${message}`);
}

it('the linter has no remarks on the OpenAPI document and the AsyncAPI document', async () => {
  expect(await remarksOn(openApi('1.2.3'))).toEqual([]);
  expect(await remarksOn(asyncApi('1.2.3'))).toEqual([]);
});

it('the linter detects a wrong reference, a missing license, and an example that its schema forbids', async () => {
  const { info, ...rest } = openApi('1.2.3');
  const { license, ...others } = info;
  expect(license).toBeDefined();
  const wrong = JSON.stringify({ ...rest, info: others })
    .replace('"#/components/schemas/TopicPage"', '"#/components/schemas/Topics"')
    .replace('"stored":"disk"', '"stored":"nowhere"');
  const rules = (await remarksOn(JSON.parse(wrong) as object)).map((remark) => remark.split(':')[0]);
  expect(new Set(rules)).toEqual(
    new Set(['info-license', 'no-unresolved-refs', 'no-invalid-media-type-examples', 'no-unused-components']),
  );
  const { channels, ...events } = asyncApi('1.2.3');
  expect(channels).toHaveProperty('subscribe');
  expect(await remarksOn(events)).not.toEqual([]);
});

it('the two documents give a schema of the same name the same content', () => {
  const events = asyncApi('1.2.3').components.schemas;
  const shared = Object.entries(openApi('1.2.3').components.schemas).filter(([name]) => name in events);
  expect(shared.length).toBeGreaterThan(8);
  for (const [name, schema] of shared) expect(events[name]).toEqual(schema);
});
