import {
  encodeTextFrames,
  Frame,
  type DirectWrites,
  type FlushSchedule,
  type FrameChains,
  type HeldFrames,
} from '@fanfare/fanout/outbox';
import type { ArrivalBudget } from './arrival-budget.ts';
import type { Deadlines } from './deadlines.ts';
import type { EngineOptions } from './options.ts';
import type { PayloadReader } from './packet.ts';

/** A packet to send, often to many clients. Its frame is made once, and not at all if all clients poll. */
export class OutgoingPacket {
  readonly text: string;
  /** Whether the packet counts as a delivery when a poll has taken it. */
  readonly isDelivery: boolean;
  #frame: Frame | undefined;

  /** @param text - an Engine.IO packet */
  constructor(text: string, isDelivery = false) {
    this.text = text;
    this.isDelivery = isDelivery;
  }

  get bytes(): number {
    return Buffer.byteLength(this.text);
  }

  /** The packet as a frame of a WebSocket. */
  get frame(): Frame {
    if (this.#frame) return this.#frame;
    const bytes = encodeTextFrames([this.text.slice(1)]);
    // `encodeTextFrames` encodes messages only. Other packets differ in the first byte of their data.
    const type = this.text.charAt(0);
    if (type !== '4') bytes.write(type, bytes.length - this.bytes, 'latin1');
    return (this.#frame = new Frame(bytes));
  }
}

/** The parts that all transports of an engine share. */
export interface TransportParts {
  readonly options: EngineOptions;
  readonly frames: HeldFrames;
  readonly chains: FrameChains;
  readonly schedule: FlushSchedule;
  readonly direct: DirectWrites;
  readonly arrivals: ArrivalBudget;
  /** Transports that are being closed, and are cut off when their time is over. */
  readonly closingPolling: Deadlines<Transport>;
  /** The same for WebSockets, and for clients that are refused. */
  readonly closingSoon: Deadlines<Transport>;
  /** Called with the number of deliveries that a poll has taken. */
  readonly onPolled: (deliveries: number) => void;
}

/** One of the two ways in which packets travel. */
export interface Transport {
  readonly name: 'polling' | 'websocket';
  /** The bytes that the client has not taken. */
  readonly waitingBytes: number;
  /** The number of these bytes that wait for this client alone. */
  readonly ownBytes: number;
  /** Whether the client has not taken what was offered to it before. */
  readonly isSlow: boolean;
  /** Grows whenever the client takes something. */
  readonly progress: number;
  send(packet: OutgoingPacket): void;
  /** Sends messages, all or none. @returns whether the owner lets them wait */
  offer(packets: readonly OutgoingPacket[]): boolean;
  pause(): void;
  resume(): void;
  /** Sends what waits, and closes. @param reason - why the client is refused, if it is */
  close(reason?: string): void;
  /** Closes at once, and drops what waits. */
  terminate(): void;
}

/** What a transport tells. */
export interface TransportOwner {
  /** @param packet - undefined for a binary frame */
  receive(packet: string | undefined, from: Transport): void;
  /** Bytes and the heads of frames have come. @returns false if the client may not send so many */
  allow(bytes: number, frames: number): boolean;
  /** Whether so many bytes more may wait for the client. */
  mayWait(bytes: number): boolean;
  /** The transport has sent something, or is slow now. */
  changed(from: Transport): void;
  /** The client has read nearly everything. */
  read(from: Transport): void;
  /** The transport is closed. */
  lost(reason: string, from: Transport): void;
}

export interface PollingOwner extends TransportOwner {
  /** The maximum size of a request body. */
  readonly bodyBytesMax: number;
  /** @param onTaken - called when all packets are taken */
  receivePayload(reader: PayloadReader, onTaken: () => void): void;
  /** The client has broken the protocol. */
  fail(reason: string): void;
}
