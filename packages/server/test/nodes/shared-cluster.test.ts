import { expect, it, onTestFinished } from 'vitest';
import { parseTopic } from '@fanfare/protocol';
import { askAll } from '../../src/nodes/cluster.ts';
import { SharedCluster } from '../../src/nodes/shared-cluster.ts';
import { until } from '../../../../test/waits.ts';
import { failOn } from '../log/open-local-log.ts';
import { anything, FakeFanOut, memoryLog, pathOver } from '../message-path/fake-fan-out.ts';
import type { MessagePath } from '../../src/message-path/message-path.ts';

/** Nodes in this process, over texts that can be lost. */
class Switchboard {
  readonly nodes = new Map<string, SharedCluster>();
  readonly #addresses = new Map<string, string>();
  /** The nodes that receive nothing. */
  readonly deaf = new Set<string>();
  beats = 0;

  add(nodeId: string): SharedCluster {
    const cluster = new SharedCluster({
      nodeId,
      transport: {
        beat: async (address) => {
          this.beats++;
          this.#addresses.set(nodeId, address);
          return new Map(this.#addresses);
        },
        send: async (to, text) => {
          if (this.deaf.has(to)) return;
          setImmediate(() => this.nodes.get(to)?.receive(text));
        },
        leave: async () => void this.#addresses.delete(nodeId),
      },
      logger: { warn: failOn, error: failOn },
    });
    this.nodes.set(nodeId, cluster);
    onTestFinished(() => cluster.close());
    return cluster;
  }
}

async function twoNodes(): Promise<{
  readonly board: Switchboard;
  readonly paths: readonly [MessagePath, MessagePath];
  readonly fanOuts: readonly [FakeFanOut, FakeFanOut];
}> {
  const board = new Switchboard();
  const log = memoryLog();
  const fanOuts = [new FakeFanOut(), new FakeFanOut()] as const;
  const clusters = [board.add('aaaaa'), board.add('bbbbb')] as const;
  const paths = [
    pathOver(log, fanOuts[0], {}, [], clusters[0]),
    pathOver(log, fanOuts[1], {}, [], clusters[1]),
  ] as const;
  for (const cluster of clusters) await cluster.announce('');
  await clusters[0].announce('');
  return { board, paths, fanOuts };
}

it('every node lists the connections of all nodes, page by page', async () => {
  const { paths, fanOuts } = await twoNodes();
  const ids = [0, 1, 0, 1, 1].map((at) => [at, fanOuts[at as 0 | 1].connect(paths[at as 0 | 1]).id] as const);
  const expected = [...ids.filter(([at]) => at === 0), ...ids.filter(([at]) => at === 1)].map(([, id]) => id);
  for (const { nodes } of paths) {
    for (const limit of [1, 2, 3, 5, 9]) {
      const listed: string[] = [];
      let page = await nodes.connections(anything, limit);
      listed.push(...page.items.map(({ id }) => id));
      const nextPage = async (): Promise<void> => {
        page = await nodes.connections(anything, limit, page.next);
        listed.push(...page.items.map(({ id }) => id));
      };
      await until('the last page comes', () => page.next === undefined, { step: nextPage });
      expect(listed).toEqual(expected);
    }
  }
});

it('a connection can be read and ended on every node, and its subscriptions count', async () => {
  const { paths, fanOuts } = await twoNodes();
  const topic = parseTopic('news');
  const peer = fanOuts[1].connect(paths[1]);
  await peer.connection?.subscribe({ topic });
  await peer.connection?.subscribe({ topic: '**', envelope: true });
  const [{ nodes, topics }] = paths;
  expect(await topics.get(anything, topic)).toMatchObject({ subscribers: 2 });
  expect(await topics.list(anything, { prefix: '', limit: 9 })).toMatchObject([{ subscribers: 2 }]);
  expect((await nodes.subscribersOf(anything, topic, 9)).items).toMatchObject([
    { connection: peer.id, via: '**' },
    { connection: peer.id, via: 'news' },
  ]);
  expect(await nodes.connection(anything, peer.id)).toMatchObject({
    id: peer.id,
    node: 'bbbbb',
    subscriptions: 2,
  });
  expect(await nodes.stats(anything)).toMatchObject({
    connections: 1,
    subscriptions: 2,
    nodes: [
      { id: 'aaaaa', connections: 0 },
      { id: 'bbbbb', connections: 1 },
    ],
  });
  await nodes.endConnection(anything, peer.id);
  expect(peer.connection?.isClosed).toBe(true);
  await expect(nodes.connection(anything, peer.id)).rejects.toMatchObject({ code: 'connection_not_found' });
  await expect(nodes.endConnection(anything, peer.id)).rejects.toMatchObject({
    code: 'connection_not_found',
  });
});

it('a node that does not answer is named, and holds nobody up for longer than a second', async () => {
  const { board, paths, fanOuts } = await twoNodes();
  fanOuts[0].connect(paths[0]);
  board.deaf.add('bbbbb');
  const [{ nodes }] = paths;
  const began = performance.now();
  expect(await nodes.connections(anything, 9)).toMatchObject({ silent: ['bbbbb'] });
  expect(await nodes.stats(anything)).toMatchObject({ connections: 1, silent: ['bbbbb'] });
  expect(performance.now() - began).toBeLessThan(10_000);
});

it('a node knows the address of a node that has just started, and asks seldom for ids that nobody has', async () => {
  const board = new Switchboard();
  const [one, other] = [board.add('aaaaa'), board.add('bbbbb')];
  await one.announce('10.0.0.1:1');
  await other.announce('10.0.0.2:2');
  expect(await one.addressOf('bbbbb')).toBe('10.0.0.2:2');
  const { beats } = board;
  const found = await Promise.all(Array.from({ length: 1_000 }, (_, at) => one.addressOf(`id${at}`)));
  expect(new Set(found)).toEqual(new Set([undefined]));
  expect(board.beats - beats).toBeLessThan(100);
});

it('every request for a node that has just started finds it, also right after one for an id that nobody has', async () => {
  const board = new Switchboard();
  const [one, other] = [board.add('aaaaa'), board.add('bbbbb')];
  await one.announce('10.0.0.1:1');
  expect(await one.addressOf('nobody')).toBeUndefined();
  await other.announce('10.0.0.2:2');
  // A client polls and posts at the same time.
  const found = await Promise.all([one.addressOf('bbbbb'), one.addressOf('nobody'), one.addressOf('bbbbb')]);
  expect(found).toEqual(['10.0.0.2:2', undefined, '10.0.0.2:2']);
});

it('a node that was known before it had an address is found as soon as it has one', async () => {
  const board = new Switchboard();
  const [one, other] = [board.add('aaaaa'), board.add('bbbbb')];
  // A node makes itself known when it opens the log, and its address later, when it listens.
  await other.announce('');
  await one.announce('10.0.0.1:1');
  expect(await one.nodes()).toEqual(['aaaaa', 'bbbbb']);
  await other.announce('10.0.0.2:2');
  expect(await one.addressOf('bbbbb')).toBe('10.0.0.2:2');
});

it('a text that is not from a node is logged, and changes nothing', async () => {
  const warnings: string[] = [];
  const cluster = new SharedCluster({
    nodeId: 'aaaaa',
    transport: { beat: async () => new Map(), send: async () => {}, leave: async () => {} },
    logger: { warn: (_fields, message) => void warnings.push(message), error: failOn },
  });
  onTestFinished(() => cluster.close());
  const texts = ['', '{', 'null', '1', '"text"', '[]', '{"question":"stats"}'];
  for (const text of texts) cluster.receive(text);
  expect(warnings).toEqual(texts.map(() => 'A message of another node cannot be read.'));
  cluster.receive('{"number":1,"question":"nothing","from":"bbbbb"}');
  cluster.receive('{"number":1}');
  expect(warnings).toHaveLength(texts.length);
});

it('a node that has left is asked nothing', async () => {
  const { board } = await twoNodes();
  const [one, other] = [board.nodes.get('aaaaa'), board.nodes.get('bbbbb')];
  await other?.close();
  await one?.announce('');
  if (!one) throw new Error('there is no node');
  expect(await askAll(one, 'connection', 'x')).toEqual({
    answers: [{ node: 'aaaaa', answer: null }],
    silent: [],
  });
});
