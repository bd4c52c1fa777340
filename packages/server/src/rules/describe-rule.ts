import type { RuleDescription } from '@fanfare/protocol';
import type { Keep, Rule } from './rule.ts';

const ageUnits = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
] as const;

const byteUnits = [
  ['GiB', 1_073_741_824],
  ['MiB', 1_048_576],
  ['KiB', 1_024],
] as const;

/** Describes a rule in the form of a rules file, with all its defaults. */
export function describeRule(rule: Rule): RuleDescription {
  const { match, template, keep, create, publishBytesMax } = rule;
  return {
    match: template ?? match,
    keep: keep === 'none' ? keep : describeKeep(keep),
    create,
    ...(publishBytesMax !== Infinity && { publishBytesMax: describeBytes(publishBytesMax) }),
    ...(rule.publish === true && { publish: true }),
    ...(rule.subscribe === true && { subscribe: true }),
    ...(rule.publisher === true && { publisher: true }),
  };
}

function describeKeep({ count, ageMs, bytes }: Keep): RuleDescription['keep'] {
  const [unit, unitMs] = ageUnits.find(([, ms]) => ageMs % ms === 0) ?? ['s', 1_000];
  return { count, age: `${ageMs / unitMs}${unit}`, bytes: describeBytes(bytes) };
}

function describeBytes(bytes: number): string | number {
  const unit = byteUnits.find(([, size]) => bytes % size === 0);
  return unit ? `${bytes / unit[1]}${unit[0]}` : bytes;
}
