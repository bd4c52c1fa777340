import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { nextEvent, sleep, soonMs, within } from '../../../../test/waits.ts';
import { sentBy, strangerKinds } from '../../../../bench/src/strangers/kinds.ts';
import { ProbedServer } from './probed-server.ts';

const connections = 500;

const mib = 2 ** 20;

/** 40 MB, and 128 KiB for each connection. */
const growthMax = 40_000_000 + connections * 131_072;

/** The duration of an attack. Without limits a server would grow by several times `growthMax`. */
const attackMs = 500;

/** Opens connections that send an attacker's bytes, and read nothing. Resolves when all are connected. */
async function attack(url: string, content: Buffer): Promise<readonly Socket[]> {
  const port = Number(new URL(url).port);
  const sockets: Socket[] = [];
  const connectOne = async (): Promise<void> => {
    const socket = connect(port, '127.0.0.1').pause();
    sockets.push(socket);
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    const connected = nextEvent(socket, 'connect', 'a stranger connects');
    const closed = nextEvent(socket, 'close', 'a stranger is closed');
    socket.write(content);
    await Promise.race([connected, closed]);
  };
  for (let at = 0; at < connections; at += 50) {
    const some = Promise.all(Array.from({ length: 50 }, connectOne));
    await within(soonMs, '50 more strangers connect', some);
  }
  return sockets;
}

/** Resets the peak memory of a process, which Linux records. */
function forgetPeak({ pid }: ProbedServer): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function memoryOf({ pid }: ProbedServer): { readonly residentBytes: number; readonly peakBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytesOf = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024;
  return { residentBytes: bytesOf('VmRSS'), peakBytes: bytesOf('VmHWM') };
}

it.runIf(process.platform === 'linux')(
  '500 clients of each kind before login grow the process by at most 40 MB and 128 KiB each, and others are served',
  async () => {
    const server = await ProbedServer.fanfare(['--memory']);
    const { url } = server;
    const serve = async (): Promise<number> => (await fetch(`${url}/topics`)).status;
    expect(await serve()).toBe(200);
    const grown: Record<string, number> = {};
    for (const kind of strangerKinds) {
      forgetPeak(server);
      const { residentBytes } = memoryOf(server);
      const sockets = await attack(url, sentBy(kind));
      // Time itself is the test: how much memory the server uses while the attack lasts.
      await sleep(attackMs);
      expect(await serve(), kind).toBe(200);
      grown[kind] = Math.round((memoryOf(server).peakBytes - residentBytes) / mib);
      for (const socket of sockets) socket.destroy();
    }
    expect(Object.entries(grown).filter(([, grownMib]) => grownMib > growthMax / mib)).toEqual([]);
    expect([server.isGone, server.failures]).toEqual([false, []]);
  },
);
