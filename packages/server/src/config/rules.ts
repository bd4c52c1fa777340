import { FanfareError, parseInterest } from '@fanfare/protocol';
import { subjectSegment, type Keep, type Rule } from '../rules/rule.ts';
import { fieldsOf, type Complain, type RuleProblem } from './rule-fields.ts';
import { parseWithUnit, sizeUnits, timeUnits, type Units } from './units.ts';
import { parseWebhook, refuseWebhooks, type WebhookSetting } from './webhook.ts';

/** A rule as it is written in a configuration. */
export interface RuleSetting {
  /** A topic or pattern. */
  readonly match: string;
  /** `none`, or the limits of retention. An absent limit has its default. */
  readonly keep?:
    | 'none'
    | {
        readonly count?: number;
        /** A number with the unit `ms`, `s`, `m`, `h` or `d`. */
        readonly age?: string;
        /** A number of bytes, or a number with the unit `B`, `KiB`, `MiB` or `GiB`. */
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
  /** A URL that gets requests about the topics. */
  readonly webhook?: WebhookSetting;
}

/** The default limits of retention. */
export const defaultKeep: Keep = { count: 100_000, ageMs: 604_800_000, bytes: 67_108_864 };

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
  'webhook',
] as const;

/**
 * Parses rules as they are written in a configuration: `[{match, keep?, create?, publishBytesMax?}]`. `keep`
 * is `"none"` or `{count?, age?, bytes?}`, such as `{"count": 1000, "age": "12h", "bytes": "10MiB"}`.
 *
 * @returns the rules, or all problems
 */
export function parseRules(
  input: unknown,
): { readonly rules: readonly Rule[] } | { readonly problems: readonly RuleProblem[] } {
  if (!Array.isArray(input)) {
    const text = 'must be an array of rules such as [{"match": "prices/**", "keep": "none"}]';
    return { problems: [{ at: [], text }] };
  }
  const problems: RuleProblem[] = [];
  const rules = input.map((rule: unknown, index) =>
    parseRule(rule, (at, text) => problems.push({ at: [index, ...at], text })),
  );
  problems.push(...refuseWebhooks(rules));
  return problems.length > 0 ? { problems } : { rules };
}

function parseRule(input: unknown, complain: Complain): Rule {
  const fields = fieldsOf(input, ruleFields, (text) => complain([], text));
  const flag = (name: 'publish' | 'subscribe' | 'publisher'): boolean => {
    const value = fields(name) ?? false;
    if (typeof value !== 'boolean') complain([name], 'must be true or false');
    return value === true;
  };
  const webhook = fields('webhook');
  return {
    ...parseMatch(fields('match'), (text) => complain(['match'], text)),
    publish: flag('publish'),
    subscribe: flag('subscribe'),
    publisher: flag('publisher'),
    keep: parseKeep(fields('keep'), (at, text) => complain(['keep', ...at], text)),
    create: parseCreate(fields('create'), (text) => complain(['create'], text)),
    publishBytesMax: parsePositive(fields('publishBytesMax'), sizeUnits, Infinity, () =>
      complain(['publishBytesMax'], 'must be a number of bytes, or a size such as "64KiB"'),
    ),
    ...(webhook !== undefined && {
      webhook: parseWebhook(webhook, (at, text) => complain(['webhook', ...at], text)),
    }),
  };
}

function parseMatch(input: unknown, complain: (text: string) => void): Pick<Rule, 'match' | 'template'> {
  const segments = typeof input === 'string' ? input.split('/') : [];
  const isTemplate = segments.includes(subjectSegment);
  if (segments.some((segment) => segment !== subjectSegment && segment.includes(subjectSegment)))
    complain(`must have ${subjectSegment} as a whole segment, such as "inbox/${subjectSegment}"`);
  const generic = segments.map((segment) => (segment === subjectSegment ? '*' : segment)).join('/');
  try {
    const match = parseInterest(isTemplate ? generic : input);
    return isTemplate ? { match, template: segments.join('/') } : { match };
  } catch (error) {
    if (!(error instanceof FanfareError)) throw error;
    complain(`must be a topic or pattern: ${error.message.replace(/\.$/, '')}`);
    return { match: defaultRule.match };
  }
}

function parseKeep(input: unknown, complain: Complain): Rule['keep'] {
  if (input === undefined) return defaultKeep;
  if (input === 'none') return 'none';
  const fields = fieldsOf(input, ['count', 'age', 'bytes'], (text) => complain([], `${text}, or "none"`));
  const count = fields('count') ?? defaultKeep.count;
  if (!Number.isSafeInteger(count) || (count as number) < 1)
    complain(['count'], 'must be a whole number greater than 0');
  return {
    count: count as number,
    ageMs: parseAge(fields('age'), () =>
      complain(['age'], 'must be a time such as "30s", "15m", "12h" or "7d"'),
    ),
    bytes: parsePositive(fields('bytes'), sizeUnits, defaultKeep.bytes, () =>
      complain(['bytes'], 'must be a number of bytes, or a size such as "64MiB"'),
    ),
  };
}

function parseCreate(input: unknown, complain: (text: string) => void): Rule['create'] {
  if (input === undefined) return defaultRule.create;
  if (input === 'subscribe' || input === 'publish') return input;
  complain('must be "subscribe" or "publish"');
  return defaultRule.create;
}

/** An age needs a unit: a plain number would look like seconds to some, and like milliseconds to others. */
function parseAge(input: unknown, complain: () => void): number {
  if (typeof input === 'number' || (typeof input === 'string' && /^[0-9]+$/.test(input))) {
    complain();
    return defaultKeep.ageMs;
  }
  return parsePositive(input, timeUnits, defaultKeep.ageMs, complain);
}

/** Parses a number greater than 0, plain or with a unit. */
function parsePositive(input: unknown, units: Units, fallback: number, complain: () => void): number {
  if (input === undefined) return fallback;
  const text = typeof input === 'string' || typeof input === 'number' ? String(input) : '';
  const value = /^[0-9]{1,12}$/.test(text) ? Number(text) : parseWithUnit(text, units);
  if (value !== undefined && value > 0) return value;
  complain();
  return fallback;
}
