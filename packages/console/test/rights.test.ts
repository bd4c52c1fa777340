import type { IdentityInfo } from '@fanfare/protocol';
import { expect, it } from 'vitest';
import { mayPublish } from '../src/rights.ts';

const bob: IdentityInfo = { open: false, subject: 'bob', admin: false, publish: ['mine/*'], subscribe: [] };

it('publishing is offered to clients that may publish, by token, by rule or as admin', () => {
  expect(mayPublish(bob, 'mine/a', undefined)).toBe(true);
  expect(mayPublish(bob, 'mine/a/b', undefined)).toBe(false);
  expect(mayPublish(bob, 'other', {})).toBe(false);
  expect(mayPublish(bob, 'other', { publish: true })).toBe(true);
  expect(mayPublish({ ...bob, admin: true }, 'other', undefined)).toBe(true);
  expect(mayPublish(bob, '', undefined)).toBe(false);
});
