import fc from 'fast-check';
import { expect, it } from 'vitest';
import { defaultRule, parseRules } from '../../src/config/rules.ts';
import { describeRule } from '../../src/rules/describe-rule.ts';
import type { Rule } from '../../src/rules/rule.ts';

function parse(setting: unknown): Rule {
  const parsed = parseRules([setting]);
  const [rule] = 'rules' in parsed ? parsed.rules : [];
  if (!rule) throw new Error(JSON.stringify(parsed));
  return rule;
}

const bytes = fc.oneof(
  fc.integer({ min: 1, max: 1e9 }),
  fc
    .tuple(fc.integer({ min: 1, max: 2_000 }), fc.constantFrom('', 'KiB', 'MiB', 'GiB'))
    .map((one) => one.join('')),
);

const setting = fc.record(
  {
    match: fc.constantFrom('a', 'a/*', '**', 'users/${sub}/**'),
    keep: fc.oneof(
      fc.constant('none'),
      fc.record(
        {
          count: fc.integer({ min: 1, max: 1e9 }),
          age: fc
            .tuple(fc.integer({ min: 1, max: 5_000 }), fc.constantFrom('s', 'm', 'h', 'd'))
            .map((one) => one.join('')),
          bytes,
        },
        { requiredKeys: [] },
      ),
    ),
    create: fc.constantFrom('subscribe', 'publish'),
    publishBytesMax: bytes,
    publish: fc.boolean(),
    subscribe: fc.boolean(),
    publisher: fc.boolean(),
  },
  { requiredKeys: ['match'] },
);

it('the description of a rule gives the same rule again in a rules file', () => {
  fc.assert(
    fc.property(setting, (given) => {
      const rule = parse(given);
      expect(parse(describeRule(rule))).toEqual(rule);
    }),
  );
});

it('the description of a rule uses the largest units that are exact', () => {
  const rule = parse({
    match: 'users/${sub}',
    keep: { count: 5, age: '36h', bytes: 1_536 },
    publishBytesMax: '1024KiB',
    subscribe: true,
  });
  expect(describeRule(rule)).toEqual({
    match: 'users/${sub}',
    keep: { count: 5, age: '36h', bytes: 1_536 },
    create: 'subscribe',
    publishBytesMax: '1MiB',
    subscribe: true,
  });
  expect(describeRule(parse({ match: 'x', keep: { age: '120s', bytes: '2048MiB' } })).keep).toEqual({
    count: 100_000,
    age: '2m',
    bytes: '2GiB',
  });
  expect(describeRule(defaultRule)).toEqual({
    match: '**',
    keep: { count: 100_000, age: '7d', bytes: '64MiB' },
    create: 'subscribe',
  });
});
