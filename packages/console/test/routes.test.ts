import { expect, it } from 'vitest';
import { hrefOf, parseHash, type Route } from '../src/routes.ts';

it('parsing the address of a route returns the same route', () => {
  const routes: readonly Route[] = [
    { page: 'overview' },
    { page: 'topics' },
    { page: 'topic', topic: 'orders/7 ü%?#&' },
    { page: 'topic', topic: '/' },
    { page: 'connections' },
    { page: 'connections', id: 'a b' },
    { page: 'try' },
  ];
  for (const route of routes) expect(parseHash(hrefOf(route))).toEqual(route);
});

it('an address that names no page is not a route', () => {
  for (const hash of ['', '#', '#main', '#/nothing', '#/topics/%', '#/try/x', '#/__proto__']) {
    expect([hash, parseHash(hash)]).toEqual([hash, undefined]);
  }
});
