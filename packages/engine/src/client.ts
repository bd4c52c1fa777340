import { disconnectMessage, encodeAck, encodeEvent, parseEvent, type Message } from './message.ts';
import type { Session } from './session.ts';
import { OutgoingPacket, type Transport } from './transport.ts';

/** An event that a client has sent. */
export interface ReceivedEvent {
  /** The JSON text of an array: the name of the event and its arguments. Empty if the client sent nothing. */
  readonly json: string;
  /** With which number the client wants an acknowledgement. */
  readonly id: number | undefined;
  /** Whether binary data came with it, which is dropped. */
  readonly hasAttachments: boolean;
  /**
   * The name and the arguments.
   *
   * @throws MalformedMessageError; if the app does not catch it, the session is closed
   */
  values(): readonly unknown[];
}

export function receivedEvent(message: Message): ReceivedEvent {
  const { payload: json, id, attachments } = message;
  return { json, id, hasAttachments: attachments > 0, values: () => parseEvent(message) };
}

/** Makes the packet of a message of Socket.IO. */
export function messagePacket(message: string, isDelivery = false): OutgoingPacket {
  return new OutgoingPacket(`4${message}`, isDelivery);
}

/** Makes the packet of an event, for one client or many. */
export function eventPacket(name: string, argumentsJson: string, isDelivery = false): OutgoingPacket {
  return messagePacket(encodeEvent(name, argumentsJson), isDelivery);
}

/**
 * A client that has logged in.
 *
 * @typeParam I - what the app knows of it since its login
 */
export class Client<I> {
  /** No other client has the same id. */
  readonly id: string;
  readonly identity: I;
  readonly #session: Session;

  constructor(id: string, identity: I, session: Session) {
    this.id = id;
    this.identity = identity;
    this.#session = session;
  }

  get address(): string {
    return this.#session.address;
  }

  get transport(): Transport['name'] {
    return this.#session.transportName;
  }

  get waitingBytes(): number {
    return this.#session.waitingBytes;
  }

  /** Sends an event, even if the client is slow. */
  emit(name: string, argumentsJson: string): void {
    this.#session.send(eventPacket(name, argumentsJson));
  }

  acknowledge(id: number, json: string): void {
    this.#session.send(messagePacket(encodeAck(id, json)));
  }

  /**
   * Offers packets: the client gets all of them or none.
   *
   * @returns false if the client has no space. `drained` tells the app when it has space again
   */
  offer(packets: readonly OutgoingPacket[]): boolean {
    return this.#session.offer(packets);
  }

  /** Ends the connection. Clients do not reconnect by themselves after this. */
  disconnect(): void {
    this.#session.send(messagePacket(disconnectMessage));
    this.#session.close('server disconnect');
  }

  /** Ends the connection. Clients reconnect. */
  close(): void {
    this.#session.close('server close');
  }
}
