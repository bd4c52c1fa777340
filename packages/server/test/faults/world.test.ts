import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { World } from './world.ts';

it('each granted publish is begun by one publisher, though all of them wait for it', async () => {
  const world = new World([]);
  world.grant(0);
  let begun = 0;
  for (let publisher = 0; publisher < 3; publisher++) void world.granted().then(() => begun++);
  for (const granted of [1, 2, 3]) {
    world.grant(1);
    await nextTurn();
    expect(begun).toBe(granted);
  }
});
