// The process that attacks: many connections that each send all bytes of their kind, and read nothing.
import { connect } from 'node:net';
import { sentBy, type StrangerKind } from './kinds.ts';

export interface AttackOrder {
  readonly port: number;
  readonly kind: StrangerKind;
  readonly connections: number;
}

/** Connections beyond the server's accept queue would retry a second later. */
const connectingMax = 128;

process.once('disconnect', () => process.exit());
process.once('message', (order) => attack(order as AttackOrder));

/** The connections stay until the server closes them, or the process ends. */
function attack({ port, kind, connections }: AttackOrder): void {
  const content = sentBy(kind);
  let left = connections;
  const connectNext = (): void => {
    if (left-- <= 0) return;
    const socket = connect(port, '127.0.0.1').pause();
    let isConnecting = true;
    const goOn = (): void => {
      if (isConnecting) connectNext();
      isConnecting = false;
    };
    socket
      .on('error', () => undefined)
      .once('connect', goOn)
      .once('close', goOn);
    socket.write(content);
  };
  for (let at = 0; at < connectingMax; at++) connectNext();
}
