import { describe, expect, it } from 'vitest';
import { resolveSettings, SettingsError } from '@fanfare/server';
import { didYouMean } from '../../src/config/did-you-mean.ts';
import { formatWithUnit, parseWithUnit, sizeUnits, timeUnits } from '../../src/config/units.ts';

const resolved = (flags: Record<string, string>): object => resolveSettings({ flags, env: {} });

describe('units', () => {
  it('times and sizes with units mean what they say', () => {
    const settings = resolved({
      loginTimeoutMs: '500ms',
      stallTimeoutMs: '90s',
      requestTimeoutMs: '2m',
      idWindowMs: '1d',
      tokenLifetimeMsMax: '12h',
      publishBytesMax: '64KiB',
      batchBytesMax: '100B',
      outboxBytesMax: '3MiB',
      memoryBytesMax: '2GiB',
    });
    expect(settings).toMatchObject({
      loginTimeoutMs: 500,
      stallTimeoutMs: 90_000,
      requestTimeoutMs: 120_000,
      idWindowMs: 86_400_000,
      tokenLifetimeMsMax: 43_200_000,
      publishBytesMax: 65_536,
      batchBytesMax: 100,
      outboxBytesMax: 3_145_728,
      memoryBytesMax: 2_147_483_648,
    });
  });

  it('numbers without units are milliseconds and bytes', () => {
    expect(resolved({ stallTimeoutMs: '90000', publishBytesMax: '65536' })).toMatchObject({
      stallTimeoutMs: 90_000,
      publishBytesMax: 65_536,
    });
  });

  it.each([
    ['stallTimeoutMs', '1MiB', /^--stall-timeout-ms must be a time from 1s to 1h, such as 10s /],
    ['stallTimeoutMs', '1.5m', /must be a time/],
    ['stallTimeoutMs', '2h', /must be a time from 1s to 1h.*, not "2h"\.$/],
    ['publishBytesMax', '1MB', /^--publish-bytes-max must be a size from 1B to 64MiB, such as 16MiB /],
    ['publishBytesMax', '10s', /must be a size/],
    ['topicsMax', '10s', /^--topics-max must be a whole number from 1 to 10000000, not "10s"\.$/],
    ['topicsMax', '1KiB', /must be a whole number/],
  ])('a wrong unit is refused: %s %s', (name, value, message) => {
    expect(() => resolved({ [name]: value })).toThrow(SettingsError);
    expect(() => resolved({ [name]: value })).toThrow(message);
  });

  it('a value is formatted with a unit from which it can be parsed again', () => {
    for (const units of [timeUnits, sizeUnits])
      for (const value of [1, 999, 1_000, 1_024, 60_000, 1_048_576, 604_800_000, 268_435_456])
        expect(parseWithUnit(formatWithUnit(value, units), units)).toBe(value);
    expect(formatWithUnit(600_000, timeUnits)).toBe('10m');
    expect(formatWithUnit(16_777_216, sizeUnits)).toBe('16MiB');
  });
});

describe('hints for misspelt names', () => {
  const names = ['port', 'host', 'keyFile', 'topicsMax'];

  it.each([
    ['prot', ' Did you mean "port"?'],
    ['key-file', ' Did you mean "keyFile"?'],
    ['TOPICS_MAX', ' Did you mean "topicsMax"?'],
    ['topicMax', ' Did you mean "topicsMax"?'],
    ['nonsense', ''],
    ['', ''],
  ])('the hint for %j is %j', (given, hint) => {
    expect(didYouMean(given, names)).toBe(hint);
  });
});
