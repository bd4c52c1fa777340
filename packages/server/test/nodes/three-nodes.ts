import { randomBytes } from 'node:crypto';
import type { FanfareServer, ServerOptions } from '@fanfare/server';
import { onTestFinished } from 'vitest';
import type { NodeDirectory } from '../../src/nodes/node-directory.ts';
import { createNode } from '../../src/server.ts';
import { startNginx } from '../nginx.ts';
import { strictLogger } from '../harness.ts';

/** A directory in memory, for nodes in one process. Each node gets its own view of it. */
export class StaticDirectory {
  readonly key: Buffer = randomBytes(32);
  readonly addresses = new Map<string, string>();
  readonly #usesTls: (nodeId: string) => boolean;

  /** @param usesTls - whether a node calls others with TLS */
  constructor(usesTls: (nodeId: string) => boolean = () => false) {
    this.#usesTls = usesTls;
  }

  viewOf(nodeId: string): NodeDirectory {
    return {
      nodeId,
      key: this.key,
      usesTls: this.#usesTls(nodeId),
      announce: async (address) => void this.addresses.set(nodeId, address),
      addressOf: async (other) => this.addresses.get(other),
    };
  }
}

export interface RunningNode {
  readonly id: string;
  readonly url: string;
  readonly server: FanfareServer;
}

export interface RunningNodes {
  readonly directory: StaticDirectory;
  readonly nodes: readonly [RunningNode, RunningNode, RunningNode];
}

/** Clients come through a proxy on this machine. */
const behindProxy = { open: true, trustProxy: '127.0.0.1' } as const;

/** Starts three servers that are nodes of one Fanfare. Stopped when the test ends. */
export async function startNodes(
  options: ServerOptions = {},
  directory: StaticDirectory = new StaticDirectory(),
): Promise<RunningNodes> {
  let areStopping = false;
  // While the nodes stop one after the other, the last requests of clients cannot be passed on any more.
  const logger = {
    ...strictLogger,
    warn: (fields: object, message: string): void => {
      if (!areStopping) strictLogger.warn(fields, message);
    },
  };
  const start = async (id: string): Promise<RunningNode> => {
    const server = createNode({ port: 0, logger, ...behindProxy, ...options }, directory.viewOf(id));
    const url = await server.start();
    onTestFinished(() => {
      areStopping = true;
      return server.stop();
    });
    return { id, url, server };
  };
  return { directory, nodes: [await start('node1'), await start('node2'), await start('node3')] };
}

/**
 * nginx, which sends each request to another of the nodes. Stopped when the test ends.
 *
 * @param parameters - of each node: `max_fails=0` sends requests also to a node that has just failed
 */
export async function startBalancer(
  nodes: readonly { readonly url: string }[],
  parameters = '',
): Promise<string> {
  const servers = nodes
    .map(({ url }) => `server ${new URL(url).host.replace('localhost', '127.0.0.1')} ${parameters};`)
    .join(' ');
  const nginx = await startNginx(
    `map $http_upgrade $connection_upgrade { default upgrade; '' close; }
     upstream nodes { ${servers} }
     server {
       listen 443 ssl; ssl_certificate x; ssl_certificate_key x; client_max_body_size 16m;
       location / {
         proxy_pass http://nodes; proxy_http_version 1.1; proxy_next_upstream off;
         proxy_request_buffering off; proxy_buffering off;
         proxy_set_header Host $http_host;
         proxy_set_header Upgrade $http_upgrade;
         proxy_set_header Connection $connection_upgrade;
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
       }
     }`,
    nodes[0]?.url ?? '',
  );
  onTestFinished(() => nginx.stop());
  return nginx.url;
}

/** The node that has the only client. */
export async function homeOf(nodes: readonly RunningNode[]): Promise<RunningNode> {
  for (const node of nodes) if ((await node.server.stats()).connections > 0) return node;
  throw new Error('no node has a client');
}
