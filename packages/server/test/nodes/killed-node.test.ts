import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Socket } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, soonMs, until, within } from '../../../../test/waits.ts';
import { connectClient, type Transport } from '../harness.ts';
import { engineUrl } from '../hostile/wire.ts';
import { startBalancer } from './three-nodes.ts';

interface NodeProcess {
  readonly id: string;
  readonly url: string;
  readonly address: string;
  readonly kill: (signal: 'SIGKILL' | 'SIGSTOP') => void;
  /** Tells the node the addresses of all nodes. */
  readonly learn: (nodes: readonly NodeProcess[]) => Promise<void>;
}

const program = fileURLToPath(new URL('node-process.mjs', import.meta.url));

async function startProcess(id: string, key: string): Promise<NodeProcess> {
  const child = spawn(process.execPath, [program, id, key], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const text = await nextEvent<string>(lines, 'line', 'the node listens');
  const { url, address } = JSON.parse(text) as { url: string; address: string };
  return {
    id,
    url,
    address,
    kill: (signal) => void child.kill(signal),
    learn: async (nodes) => {
      const known = nextEvent(lines, 'line', 'the node knows the others');
      child.stdin.write(`${JSON.stringify(nodes.map((node) => [node.id, node.address]))}\n`);
      await known;
    },
  };
}

async function startProcesses(): Promise<readonly [NodeProcess, NodeProcess, NodeProcess]> {
  const key = randomBytes(32).toString('hex');
  const [first, second, third] = await Promise.all(
    ['node1', 'node2', 'node3'].map((id) => startProcess(id, key)),
  );
  if (!first || !second || !third) throw new Error('there are no three nodes');
  const nodes = [first, second, third] as const;
  await Promise.all(nodes.map((node) => node.learn(nodes)));
  return nodes;
}

/** A stock client that connects again by itself, as an app has it. */
function connectAgain(url: string, transport: Transport): Promise<Socket> {
  return connectClient(url, transport, { reconnection: true, reconnectionDelay: 50, timeout: 5_000 });
}

describe('three nodes in processes of their own', () => {
  it.each(['polling', 'upgrade'] as const)(
    'when a node is killed, clients over %s connect to the others by themselves, and go on',
    async (transport) => {
      const nodes = await startProcesses();
      const url = await startBalancer(nodes);
      const clients = await Promise.all(Array.from({ length: 12 }, () => connectAgain(url, transport)));
      const [killed, ...others] = nodes;
      const connectionsAt = async (node: NodeProcess): Promise<number> =>
        ((await (await fetch(`${node.url}/stats`)).json()) as { connections: number }).connections;
      expect(await connectionsAt(killed)).toBeGreaterThan(0);
      killed.kill('SIGKILL');
      const isConnected = async (): Promise<boolean> => {
        const counts = await Promise.all(others.map(connectionsAt));
        const count = counts.reduce((sum, one) => sum + one, 0);
        return count === clients.length && clients.every(({ connected }) => connected);
      };
      await until('all clients are connected to the other nodes', isConnected);
      const use = async (client: Socket, at: number): Promise<void> => {
        const topic = `topic ${at}`;
        await client.emitWithAck('subscribe', { topic });
        const received = nextEvent(client, topic, 'the message comes');
        await client.emitWithAck('publish', { topic, message: at });
        expect(await received).toEqual({ message: at });
      };
      await Promise.all(clients.map(use));
    },
  );

  it('requests for a session of a killed node are answered at once', async () => {
    const [killed, second] = await startProcesses();
    const query = { EIO: '4', transport: 'polling' };
    const opened = await (await fetch(engineUrl(killed.url, query))).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    const ask = () => fetch(engineUrl(second.url, { ...query, sid }));
    expect(
      (await fetch(engineUrl(second.url, { ...query, sid }), { method: 'POST', body: '40' })).status,
    ).toBe(200);
    expect((await ask()).status).toBe(200);
    // It waits for a packet on the node that is killed.
    const poll = ask();
    await within(soonMs, 'a further poll is passed on', async () => fetch(`${second.url}/`));
    killed.kill('SIGKILL');
    expect((await within(5_000, 'the poll is answered', poll)).status).toBe(503);
    expect((await within(5_000, 'a later poll is answered', ask)).status).toBe(503);
  });

  it('new requests for a session of a stopped process are answered within seconds', async () => {
    const [stopped, second] = await startProcesses();
    const query = { EIO: '4', transport: 'polling' };
    const opened = await (await fetch(engineUrl(stopped.url, query))).text();
    const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
    stopped.kill('SIGSTOP');
    const answer = fetch(engineUrl(second.url, { ...query, sid }));
    expect((await within(10_000, 'the poll is answered', answer)).status).toBe(503);
  });
});
