import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../src/arguments.ts';
import { measureAdapters } from '../src/adapters/main.ts';
import { nodeContestants } from '../src/adapters/node-contestants.ts';
import { redisInterruptions, type RedisSpan } from '../src/adapters/redis-interruptions.ts';
import { runNodes, type NodesVerdict } from '../src/adapters/run-nodes.ts';
import { pairs } from '../src/adapters/scenarios.ts';
import { root } from '../src/paths.ts';
import { Processes } from '../src/processes.ts';

const span: RedisSpan = { cuts: 1, betweenMs: 500, cutMs: 500, outageMs: 500 };
const processes = new Processes(undefined);
afterAll(() => processes.close());

async function run(name: string, id: string): Promise<NodesVerdict> {
  const contestant = nodeContestants.find((one) => one.name === name);
  const interruption = redisInterruptions.find((one) => one.id === id);
  if (!contestant || !interruption) throw new Error(`there is no ${name} or ${id}`);
  return runNodes(contestant, interruption, { processes, subscribers: 4, messagesPerSecond: 20, span });
}

describe('two nodes and a Redis', () => {
  it.each([
    ['fanfare, SDK', 'killed'],
    ['fanfare, resume rule', 'cut-off'],
    ['fanfare, SDK', 'held'],
  ])(
    'with %s, subscribers of both nodes get everything once and in order when Redis is %s',
    async (name, id) => {
      const { paths } = await run(name, id);
      expect(paths.map(({ path }) => path)).toEqual(['A → A', 'B → A', 'A → B', 'B → B']);
      // Otherwise there was nothing to lose.
      for (const { due } of paths) expect(due).toBeGreaterThan(0);
      const flaws = paths.map(({ due, delivered, duplicates, reorders, phantoms }) => ({
        missing: due - delivered,
        duplicates,
        reorders,
        phantoms,
      }));
      const none = { missing: 0, duplicates: 0, reorders: 0, phantoms: 0 };
      expect(flaws).toEqual([none, none, none, none]);
    },
  );

  it('subscribers of a node that is cut off lose messages with the adapter over pub/sub, which the judge detects', async () => {
    const { paths } = await run('redis-adapter', 'cut-off');
    const lossy = paths.filter(({ due, delivered }) => delivered < due);
    expect(lossy.map(({ path }) => path)).toContain('A → B');
    for (const { delivered } of paths) expect(delivered).toBeGreaterThan(0);
  });

  it('the adapter over streams delivers messages between nodes', async () => {
    const { paths } = await run('redis-streams-adapter', 'restarted');
    for (const { delivered, due } of paths) expect(delivered).toBeGreaterThan(due / 2);
  });
});

describe('npm run bench -- --smoke, for pairs of nodes', () => {
  it('every pair of nodes delivers to the subscribers of one what was published on the other', () => {
    const args = ['bench/dist/main.js', '--smoke', '--systems', pairs.join(',')];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect(stdout.trim().split('\n').toSorted()).toEqual(
      pairs.map((name) => `${name}: pair-window-1, pair-window-64 delivered as published`).toSorted(),
    );
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });
});

describe('the command', () => {
  it.each([
    [['--interruption', 'held,help'], "There is no interruption 'help'."],
    [['--rounds', 'many'], "--rounds takes a whole number from 1, not 'many'."],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])(
    'the command of the comparison refuses the arguments %j before it starts anything',
    async (args, reason) => {
      const wrong = measureAdapters(args, () => {
        throw new Error('It started something.');
      });
      await expect(wrong).rejects.toThrow(UsageError);
      await expect(wrong).rejects.toThrow(reason);
    },
  );
});
