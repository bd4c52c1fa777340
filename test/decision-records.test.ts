import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const folder = new URL('../docs/decisions/', import.meta.url);

/**
 * The three parts that every record has, in this order. Others, such as Alternatives, may stand between them.
 */
const headings = ['Context', 'Decision', 'Consequences'];

const statuses = [
  { form: /^accepted$/, counterpart: undefined },
  { form: /^accepted, amended by \[\d+\]\(/, counterpart: 'Amends' },
  { form: /^superseded by \[\d+\]\([^)]+\)$/, counterpart: 'Supersedes' },
];

/** The value of a line such as `- Date: 2026-11-23`. It can continue over several lines. */
function field(record: string, name: string): string | undefined {
  const pattern = new RegExp(`^- ${name}: ([^\\n]+(?:\\n  [^\\n]+)*)$`, 'm');
  return pattern.exec(record.split('\n## ', 1)[0] ?? '')?.[1]?.replaceAll(/\s+/g, ' ');
}

/** The records that a text links to: the number that is shown, and the name of the file. */
function linked(text: string): { shown: number; file: string }[] {
  return [...text.matchAll(/\[(\d+)\]\(([^)]+)\)/g)].map(([, shown, file = '']) => ({
    shown: Number(shown),
    file,
  }));
}

function problemsOfStatus(file: string, status: string, records: ReadonlyMap<string, string>): string[] {
  const kind = statuses.find(({ form }) => form.test(status));
  if (!kind) return [`the status '${status}' is not an allowed one`];
  return linked(status).flatMap(({ shown, file: other }) => {
    const record = records.get(other);
    if (record === undefined || !other.startsWith(String(shown).padStart(4, '0'))) {
      return [`record ${shown} (${other}) does not exist`];
    }
    const counterpart = field(record, kind.counterpart ?? '') ?? '';
    const isMutual = other > file && linked(counterpart).some((back) => back.file === file);
    return isMutual ? [] : [`${other} does not say '${kind.counterpart}' of this record`];
  });
}

function problemsOf(file: string, records: ReadonlyMap<string, string>): string[] {
  const record = records.get(file) ?? '';
  const number = Number(/^(\d{4})-[\da-z-]+\.md$/.exec(file)?.[1]);
  const date = field(record, 'Date') ?? '';
  const isDate = /^\d{4}-\d\d-\d\d$/.test(date) && !Number.isNaN(Date.parse(date));
  const sections = record.split(/^## /m).slice(1);
  const found = sections
    .filter((section) => /\n\n\S/.test(section))
    .map((section) => section.split('\n', 1)[0] ?? '')
    .filter((heading) => headings.includes(heading));
  return [
    ...(/^# (\d+)\. \S/.exec(record)?.[1] === String(number)
      ? []
      : ['the title does not have the number of the file']),
    ...(isDate ? [] : ['the date is missing']),
    ...problemsOfStatus(file, field(record, 'Status') ?? '', records),
    ...(found.join() === headings.join() ? [] : [`the headings are not ${headings.join(', ')}`]),
  ];
}

const wellFormed = `# 1. The log comes first

- Date: 2026-11-23
- Status: superseded by [2](0002-no-log.md)

## Context

Messages need an order.

## Decision

There is a log.

## Consequences

Messages have an order.
`;
const successor = wellFormed
  .replace('# 1.', '# 2.')
  .replace(/- Status.*/, '- Status: accepted\n- Supersedes: [1](0001-the-log.md)');

/** The problems of the first of two records, after a change to it. */
function problemsAfter(search: string | RegExp, replacement: string): string[] {
  const changed = wellFormed.replace(search, replacement);
  expect(changed).not.toBe(wellFormed);
  return problemsOf(
    '0001-the-log.md',
    new Map([
      ['0001-the-log.md', changed],
      ['0002-no-log.md', successor],
    ]),
  );
}

describe('the decision records', () => {
  it('each decision record has a title with its number, a date, an allowed status, a context, a decision and consequences', () => {
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThan(20);
    const records = new Map(files.map((file) => [file, readFileSync(new URL(file, folder), 'utf8')]));
    for (const file of files) expect([file, problemsOf(file, records)]).toEqual([file, []]);
  });

  it('the check of the decision records detects a missing part, and a status that names a missing record', () => {
    expect(problemsAfter('The log comes first', 'The log is first')).toEqual([]);
    expect(problemsAfter('# 1.', '# 7.')).toEqual(['the title does not have the number of the file']);
    expect(problemsAfter('2026-11-23', 'last week')).toEqual(['the date is missing']);
    expect(problemsAfter('2026-11-23', '2026-13-23')).toEqual(['the date is missing']);
    expect(problemsAfter(/superseded by.*/, 'agreed')).toEqual([`the status 'agreed' is not an allowed one`]);
    expect(problemsAfter('[2](0002-no-log.md)', '[3](0003-none.md)')).toEqual([
      'record 3 (0003-none.md) does not exist',
    ]);
    expect(problemsAfter('[2]', '[3]')).toEqual(['record 3 (0002-no-log.md) does not exist']);
    expect(problemsAfter('superseded by', 'accepted, amended by')).toEqual([
      `0002-no-log.md does not say 'Amends' of this record`,
    ]);
    expect(problemsAfter(/## Consequences[^]*/, '')).toEqual([
      'the headings are not Context, Decision, Consequences',
    ]);
    expect(problemsAfter('There is a log.\n\n', '')).toEqual([
      'the headings are not Context, Decision, Consequences',
    ]);
  });
});
