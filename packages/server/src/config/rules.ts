import { FanfareError, parseInterest } from '@fanfare/protocol';
import { subjectSegment, type Keep, type Rule } from '../rules/rule.ts';

/** A rule as it is written in a configuration. */
export interface RuleSetting {
  /** A topic or pattern. */
  readonly match: string;
  /** `none`, or the limits of retention. An absent limit has its default. */
  readonly keep?:
    | 'none'
    | {
        readonly count?: number;
        /** A number with the unit `s`, `m`, `h` or `d`. */
        readonly age?: string;
        /** A number of bytes, or a number with the unit `KiB`, `MiB` or `GiB`. */
        readonly bytes?: number | string;
      };
  /** Whether only a subscribe creates a topic (the default), or also a publish. */
  readonly create?: 'subscribe' | 'publish';
  /** The maximum size of a message. */
  readonly publishBytesMax?: number | string;
  /**
   * Whether every client with a token may publish to the topics, or read them, whatever rights the token has.
   */
  readonly publish?: boolean;
  readonly subscribe?: boolean;
  /** Whether messages name the subject that published them. */
  readonly publisher?: boolean;
}

const day = 86_400_000;
const mebibyte = 1_048_576;

/** The default limits of retention. */
export const defaultKeep: Keep = { count: 100_000, ageMs: 7 * day, bytes: 64 * mebibyte };

/** The rule for topics that match no other rule. */
export const defaultRule: Rule = {
  match: parseInterest('**'),
  keep: defaultKeep,
  create: 'subscribe',
  publishBytesMax: Infinity,
};

const ruleFields = [
  'match',
  'keep',
  'create',
  'publishBytesMax',
  'publish',
  'subscribe',
  'publisher',
] as const;

const ageUnits: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: day };
const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1_024,
  MiB: mebibyte,
  GiB: 1_024 * mebibyte,
};

/**
 * Parses rules as they are written in a configuration: `[{match, keep?, create?, publishBytesMax?}]`. `keep`
 * is `"none"` or `{count?, age?, bytes?}`, such as `{"count": 1000, "age": "12h", "bytes": "10MiB"}`.
 *
 * @returns the rules, or one sentence for each problem
 */
export function parseRules(
  input: unknown,
): { readonly rules: readonly Rule[] } | { readonly problems: string[] } {
  if (!Array.isArray(input)) {
    return { problems: ['must be an array of rules such as [{"match": "prices/**", "keep": "none"}]'] };
  }
  const problems: string[] = [];
  const rules = input.map((rule: unknown, at) =>
    parseRule(rule, (problem) => problems.push(`[${at}] ${problem}`)),
  );
  return problems.length > 0 ? { problems } : { rules };
}

type Complain = (problem: string) => void;

function parseRule(input: unknown, complain: Complain): Rule {
  const fields = fieldsOf(input, ruleFields, complain);
  const flag = (name: 'publish' | 'subscribe' | 'publisher'): boolean => {
    const value = fields(name) ?? false;
    if (typeof value !== 'boolean') complain(`${name} must be true or false`);
    return value === true;
  };
  return {
    ...parseMatch(fields('match'), complain),
    publish: flag('publish'),
    subscribe: flag('subscribe'),
    publisher: flag('publisher'),
    keep: parseKeep(fields('keep'), complain),
    create: parseCreate(fields('create'), complain),
    publishBytesMax: parseUnit(fields('publishBytesMax'), byteUnits, Infinity, () =>
      complain('publishBytesMax must be a number of bytes, or a size such as "64KiB"'),
    ),
  };
}

function parseMatch(input: unknown, complain: Complain): Pick<Rule, 'match' | 'template'> {
  const segments = typeof input === 'string' ? input.split('/') : [];
  const isTemplate = segments.includes(subjectSegment);
  if (segments.some((segment) => segment !== subjectSegment && segment.includes(subjectSegment)))
    complain(`match must have ${subjectSegment} as a whole segment, such as "inbox/${subjectSegment}"`);
  const generic = segments.map((segment) => (segment === subjectSegment ? '*' : segment)).join('/');
  try {
    const match = parseInterest(isTemplate ? generic : input);
    return isTemplate ? { match, template: segments.join('/') } : { match };
  } catch (error) {
    if (!(error instanceof FanfareError)) throw error;
    complain(`match must be a topic or pattern: ${error.message}`);
    return { match: defaultRule.match };
  }
}

function parseKeep(input: unknown, complain: Complain): Rule['keep'] {
  if (input === undefined) return defaultKeep;
  if (input === 'none') return 'none';
  const fields = fieldsOf(input, ['count', 'age', 'bytes'], (problem) =>
    complain(`keep ${problem}, or "none"`),
  );
  const count = fields('count') ?? defaultKeep.count;
  if (!Number.isSafeInteger(count) || (count as number) < 1)
    complain('keep.count must be a whole number greater than 0');
  return {
    count: count as number,
    ageMs: parseUnit(fields('age'), ageUnits, defaultKeep.ageMs, () =>
      complain('keep.age must be a time such as "30s", "15m", "12h" or "7d"'),
    ),
    bytes: parseUnit(fields('bytes'), byteUnits, defaultKeep.bytes, () =>
      complain('keep.bytes must be a number of bytes, or a size such as "64MiB"'),
    ),
  };
}

function parseCreate(input: unknown, complain: Complain): Rule['create'] {
  if (input === undefined) return defaultRule.create;
  if (input === 'subscribe' || input === 'publish') return input;
  complain('create must be "subscribe" or "publish"');
  return defaultRule.create;
}

/** Parses a number greater than 0 with a unit. The unit may be absent if `units` has an empty one. */
function parseUnit(
  input: unknown,
  units: Readonly<Record<string, number>>,
  fallback: number,
  complain: () => void,
): number {
  if (input === undefined) return fallback;
  const [, number, unit = ''] = /^([0-9]{1,12})([A-Za-z]*)$/.exec(asText(input)) ?? [];
  const value = Number(number) * (Object.hasOwn(units, unit) ? (units[unit] as number) : NaN);
  if (Number.isSafeInteger(value) && value > 0) return value;
  complain();
  return fallback;
}

function asText(input: unknown): string {
  return typeof input === 'string' || typeof input === 'number' ? String(input) : '';
}

function fieldsOf(input: unknown, names: readonly string[], complain: Complain): (name: string) => unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    complain(`must be an object with ${names.join(', ')}`);
    return () => undefined;
  }
  for (const name of Object.keys(input)) {
    if (!names.includes(name))
      complain(`has the unknown member ${JSON.stringify(name)}; possible are ${names.join(', ')}`);
  }
  return (name) => (Object.hasOwn(input, name) ? (input as Record<string, unknown>)[name] : undefined);
}
