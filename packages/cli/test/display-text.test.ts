import { expect, it } from 'vitest';
import { withoutPassword } from '../src/display-text.ts';

it.each([
  ['redis://10.0.0.5:6379/1', 'redis://10.0.0.5:6379/1'],
  ['rediss://ann:secret@10.0.0.5:6379', 'rediss://10.0.0.5:6379'],
  [
    'redis+sentinel://:secret@one,two/mymaster/2?sentinelUser=ann&sentinelPassword=sec@/ret',
    'redis+sentinel://one,two/mymaster/2',
  ],
])('the URL of Redis %s is shown without users and passwords', (url, shown) => {
  expect(withoutPassword(url)).toBe(shown);
});
