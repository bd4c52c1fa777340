import type { PollingTransport } from './polling.ts';
import { OutgoingPacket, type TransportOwner } from './transport.ts';
import type { WebSocketTransport } from './websocket.ts';

const probe = '2probe';
const probeAnswer = new OutgoingPacket('3probe');
const upgrade = '5';

export interface UpgradeParts {
  readonly allow: TransportOwner['allow'];
  /** @param webSocket - undefined if the upgrade has failed: then the session continues to poll */
  readonly isOver: (webSocket: WebSocketTransport | undefined) => void;
}

/**
 * The upgrade of a session that polls. The client probes the WebSocket. Then its poll gets a response, so
 * that it can stop polling. With the packet of type upgrade the session continues over the WebSocket.
 */
export class Upgrade implements TransportOwner {
  readonly #polling: PollingTransport;
  readonly #parts: UpgradeParts;
  #webSocket: WebSocketTransport | undefined;
  #isOver = false;

  constructor(polling: PollingTransport, parts: UpgradeParts) {
    this.#polling = polling;
    this.#parts = parts;
  }

  begin(webSocket: WebSocketTransport): void {
    this.#webSocket = webSocket;
  }

  /** The session has ended, or the upgrade takes too long. */
  cancel(): void {
    this.#end(false);
  }

  receive(packet: string | undefined): void {
    if (this.#isOver) return;
    if (packet === probe) {
      this.#webSocket?.send(probeAnswer);
      this.#polling.release(true);
    } else this.#end(packet === upgrade);
  }

  allow(bytes: number, frames: number): boolean {
    return this.#parts.allow(bytes, frames);
  }

  lost(): void {
    this.#end(false);
  }

  mayWait(): boolean {
    return false;
  }

  changed(): void {}
  read(): void {}

  #end(isDone: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#polling.release(false);
    if (!isDone) this.#webSocket?.close('The upgrade of the session has failed.');
    this.#parts.isOver(isDone ? this.#webSocket : undefined);
  }
}
