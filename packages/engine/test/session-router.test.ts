import { randomBytes } from 'node:crypto';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import { io } from 'socket.io-client';
import { expect, it, onTestFinished } from 'vitest';
import { nextEvent, startListening } from '../../../test/waits.ts';
import { Engine, type SessionRouter } from '../src/index.ts';
import { echoApp, type Identity } from './harness.ts';

/** Passes requests on to the server whose digit the session begins with. */
function routerOf(own: number, ports: readonly number[], passedOn: string[]): SessionRouter {
  const otherNodeOf = ({ url = '', headers }: IncomingMessage): string | undefined => {
    const digit = /[?&]sid=(\d)/.exec(url)?.[1];
    return digit === undefined || Number(digit) === own || 'x-passed-on' in headers ? undefined : digit;
  };
  return {
    newSessionId: () => `${own}${randomBytes(15).toString('base64url').slice(1)}`,
    otherNodeOf,
    passOn: async (nodeId, request, response) => {
      const port = ports[Number(nodeId)];
      passedOn.push(`${request.method} to ${nodeId}`);
      if (port === undefined) return 'unknown';
      if (port === 0) return 'unavailable';
      const headers = { ...request.headers, 'x-passed-on': '1' };
      const onward = httpRequest({ port, method: request.method, path: request.url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        pipeline(answer, response, () => {});
      });
      pipeline(request, onward, () => {});
      return 'passed_on';
    },
    passOnUpgrade: async (nodeId, request, socket, head) => {
      const port = ports[Number(nodeId)];
      passedOn.push(`upgrade to ${nodeId}`);
      if (port === undefined) return 'unknown';
      if (port === 0) return 'unavailable';
      const onward = connect(port, '127.0.0.1');
      const lines = Object.entries({ ...request.headers, 'x-passed-on': '1' }).map(
        ([k, v]) => `${k}: ${String(v)}`,
      );
      onward.write(`GET ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      onward.write(head);
      pipeline(onward, socket, onward, () => {});
      return 'passed_on';
    },
  };
}

/**
 * Two servers, a balancer that sends each request to the other one in turn, and a third node that is down.
 */
async function startPair(): Promise<{ readonly url: string; readonly passedOn: string[] }> {
  const ports: number[] = [];
  const passedOn: string[] = [];
  const engines = [0, 1].map((own) => new Engine<Identity>(echoApp(), {}, routerOf(own, ports, passedOn)));
  const servers = engines.map((engine) => serverOf(engine));
  for (const server of servers) ports.push(await startListening(server));
  ports.push(0);
  let turn = 0;
  const next = (): Engine<Identity> => engines[turn++ % 2] as Engine<Identity>;
  const balancer = createServer((request, response) => next().handleRequest(request, response));
  balancer.on('upgrade', (request, socket, head: Buffer) => next().handleUpgrade(request, socket, head));
  onTestFinished(() => {
    for (const server of [...servers, balancer]) server.close().closeAllConnections();
  });
  return { url: `http://127.0.0.1:${await startListening(balancer)}`, passedOn };
}

function serverOf(engine: Engine<Identity>): Server {
  const server = createServer((request, response) => engine.handleRequest(request, response));
  return server.on('upgrade', (request, socket, head: Buffer) => engine.handleUpgrade(request, socket, head));
}

it.each([['polling'], ['polling', 'websocket']])(
  'a client whose requests go to two servers in turn keeps its session: %s %s',
  async (...transports) => {
    const { url, passedOn } = await startPair();
    const socket = io(url, { transports: transports.filter((name) => name !== undefined), forceNew: true });
    onTestFinished(() => void socket.close());
    await nextEvent(socket, 'connect', 'the client connects');
    for (let at = 0; at < 20; at++) expect(await socket.emitWithAck('echo', at)).toBe(at);
    expect(passedOn.length).toBeGreaterThan(0);
  },
);

it('a session of a server that does not exist is unknown, and one of a server that is down is unavailable', async () => {
  const { url } = await startPair();
  const answers = ['7', '2'].map(async (node) => {
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${node.repeat(20)}`);
    return [response.status, await response.json()];
  });
  expect(await Promise.all(answers)).toEqual([
    [400, { code: 1, message: 'Session ID unknown' }],
    [503, { code: 1, message: 'The node of this session does not respond.' }],
  ]);
});
