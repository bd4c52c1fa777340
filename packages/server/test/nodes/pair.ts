import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { onTestFinished } from 'vitest';
import { startListening } from '../../../../test/waits.ts';
import type { NodeDirectory } from '../../src/nodes/node-directory.ts';
import { NodePort, type PassedOnRequests } from '../../src/nodes/node-port.ts';
import { SessionRouter, type Routing } from '../../src/nodes/session-router.ts';

/** A session on the other node. */
export const sid = 'otherAAAAAAAAAAAAAAA';

export interface Pair {
  /** Where clients send requests, which are all passed on to the other node. */
  readonly url: string;
  readonly key: Buffer;
  readonly router: SessionRouter;
  readonly port: NodePort;
  /** The port for nodes of the other node. */
  readonly nodePort: number;
  /** What became of the requests. */
  readonly routings: Routing[];
  /** The number of requests that have come. */
  readonly started: () => number;
  readonly warnings: string[];
  /** The errors of the warnings. */
  readonly reasons: string[];
}

export interface PairOptions {
  readonly addressOf?: NodeDirectory['addressOf'];
  readonly passedOnMax?: number;
  readonly silenceMs?: number;
  readonly usesTls?: boolean;
  /** The key of the node that passes requests on. By default both nodes have the same. */
  readonly callerKey?: Buffer;
}

/** A node that passes everything on, and the port of another node, which serves it. Closed with the test. */
export async function startPair(
  serve: Partial<PassedOnRequests>,
  { addressOf, passedOnMax = 100, silenceMs = 50_000, usesTls = false, callerKey }: PairOptions = {},
): Promise<Pair> {
  const key = randomBytes(32);
  const port = new NodePort({ key, listenerId: 'other', connectionsMax: 100 });
  port.serve({ isOurs: () => true, request: () => {}, upgrade: () => {}, ...serve });
  const nodePort = await port.listen('127.0.0.1', 0);
  const warnings: string[] = [];
  const reasons: string[] = [];
  const router = new SessionRouter({
    directory: {
      nodeId: 'first',
      key: callerKey ?? key,
      usesTls,
      announce: async () => {},
      addressOf: addressOf ?? (async () => `127.0.0.1:${nodePort}`),
    },
    passedOnMax: () => passedOnMax,
    silenceMs,
    logger: {
      warn: (fields, sentence) => {
        warnings.push(sentence);
        reasons.push((fields as { err: Error }).err.message);
      },
      error: (_fields, sentence) => void warnings.push(sentence),
    },
  });
  const routings: Routing[] = [];
  const server = passingOn(router, routings);
  let started = 0;
  server.prependListener('request', () => started++).prependListener('upgrade', () => started++);
  const clients = await startListening(server);
  onTestFinished(async () => {
    router.close();
    server.closeAllConnections();
    server.close();
    await port.close();
  });
  return {
    url: `http://127.0.0.1:${clients}`,
    key,
    router,
    port,
    nodePort,
    routings,
    started: () => started,
    warnings,
    reasons,
  };
}

function passingOn(router: SessionRouter, routings: Routing[]): Server {
  const server = createServer();
  server.on('request', (request, response) => {
    void router.passOn('other', request, response).then((routing) => {
      routings.push(routing);
      if (routing !== 'passed_on' && !response.destroyed) response.writeHead(503).end(routing);
    });
  });
  server.on('upgrade', (request, socket, head) => {
    void router.passOnUpgrade('other', request, socket, head).then((routing) => {
      routings.push(routing);
      if (routing !== 'passed_on') socket.end(`HTTP/1.1 503 ${routing}\r\n\r\n`);
    });
  });
  return server;
}
