import { expect, it } from 'vitest';
import { suppressRepeats } from '../src/observability/repeat-suppression.ts';

it('a repeated log entry is logged once a minute, with the number of repetitions', () => {
  let now = 0;
  const lines: unknown[] = [];
  const log = (fields: object, message: string): void => void lines.push([message, fields]);
  const logger = suppressRepeats({ warn: log, error: log }, () => now);
  const full = new Error('cannot store', { cause: new Error('no space left') });
  for (let at = 0; at < 1_000; at++) logger.error({ err: full }, 'refused');
  logger.error({ err: new Error('cannot store', { cause: new Error('read only') }) }, 'refused');
  logger.warn({ err: full }, 'refused');
  expect(lines).toHaveLength(3);
  now = 59_999;
  logger.error({ err: full }, 'refused');
  expect(lines).toHaveLength(3);
  now = 60_000;
  logger.error({ err: full }, 'refused');
  expect(lines.at(-1)).toEqual(['refused', { err: full, repeated: 1_000 }]);
  now = 120_000;
  logger.error({ err: full }, 'refused');
  expect(lines.at(-1)).toEqual(['refused', { err: full }]);
});
