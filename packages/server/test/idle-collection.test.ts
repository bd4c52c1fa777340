import { expect, it, onTestFinished } from 'vitest';
import { collectWhenIdle } from '../src/idle-collection.ts';

it('an idle server collects garbage once enough clients have come or gone', async () => {
  let clients = 0;
  onTestFinished(collectWhenIdle(() => clients, 20));
  const collected = new Promise<string>((resolve) => {
    const registry = new FinalizationRegistry<string>(resolve);
    registry.register({ left: 'behind' }, 'collected');
    onTestFinished(() => void registry);
  });
  clients = 1_000;
  await expect(collected).resolves.toBe('collected');
});
