import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { CallerParts } from './handshake-parts.ts';
import { connectToNode } from './node-handshake.ts';
import { upgradeToPassOn } from './passed-on-head.ts';
import type { Callee } from './request-forwarder.ts';

/** How long another node can take to accept or refuse an upgrade, in milliseconds. */
const answerMs = 10_000;

/** Passes upgrades to websockets on to other nodes, each over a connection of its own. */
export class WebSocketTunnels {
  readonly #caller: CallerParts;
  readonly #silenceMs: number;
  readonly #open = new Set<Socket>();

  /** @param silenceMs - how long a tunnel can be silent, in milliseconds */
  constructor(caller: CallerParts, silenceMs: number) {
    this.#caller = caller;
    this.#silenceMs = silenceMs;
  }

  /**
   * Sends the request for an upgrade to another node, and then all bytes in both directions, unread. The
   * response of the other node also comes this way. Resolves when both connections are closed.
   *
   * @param head - the bytes that have come after the request
   * @throws Error if the other node has not responded. Then the client has no response yet
   */
  async open(callee: Callee, request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    const { key, usesTls } = this.#caller;
    const node = await connectToNode(callee.address, { key, usesTls, listenerId: callee.nodeId });
    if (client.destroyed) return void node.destroy();
    this.#open.add(node);
    node.write(upgradeToPassOn(request));
    if (head.length > 0) node.write(head);
    try {
      await join(client, node, this.#silenceMs);
    } finally {
      this.#open.delete(node);
    }
  }

  /** Closes all tunnels. */
  close(): void {
    for (const node of this.#open) node.destroy();
  }
}

function join(client: Duplex, node: Socket, silenceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let hasAnswered = false;
    let failure: Error | undefined;
    node.setTimeout(answerMs).on('timeout', () => {
      // Else it is the client that is slow, and the other node decides how long it waits.
      if (client.writableLength === 0) node.destroy(new Error('The node does not respond.'));
    });
    node.once('data', () => {
      hasAnswered = true;
      node.setTimeout(silenceMs);
    });
    node.on('error', (error) => (failure = error));
    node.once('close', () => {
      client.off('close', onGone);
      if (hasAnswered) (client as Socket).destroySoon();
      else if (!client.destroyed)
        return reject(failure ?? new Error('The node has closed the connection without a response.'));
      resolve();
    });
    const onGone = (): void => node.destroySoon();
    client.once('close', onGone);
    client.pipe(node);
    // The client's connection stays open for the response that it may still get.
    node.pipe(client, { end: false });
    node.once('end', () => hasAnswered && client.end());
  });
}
