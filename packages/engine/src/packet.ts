/*
 * Packets and payloads of Engine.IO 4. A packet is text whose first character is its type. Several packets
 * make a payload: the body of a polling request or response.
 */

/** The first characters of packets, and what they mean. A packet of type binary is base64. */
const firsts = '0123456b';
const types = ['open', 'close', 'ping', 'pong', 'message', 'upgrade', 'noop', 'binary'] as const;

export interface Packet {
  readonly type: (typeof types)[number];
  /** The text after the type. Base64 of a binary packet is not decoded. */
  readonly data: string;
}

/** @returns undefined if the text is not a packet */
export function parsePacket(text: string): Packet | undefined {
  const type = types[firsts.indexOf(text[0] ?? '-')];
  return type && { type, data: text.slice(1) };
}

const separator = '\u001E';

/**
 * The maximum number of packets in a payload that we send. python-engineio ends its connection after a
 * payload with more.
 */
export const payloadPacketsMax = 16;

export function joinPackets(packets: readonly string[]): string {
  return packets.join(separator);
}

/**
 * Reads a payload packet by packet. A payload can have a hundred thousand packets, and splitting it at once
 * would delay other clients.
 */
export class PayloadReader {
  readonly #payload: string;
  #at = 0;

  constructor(payload: string) {
    this.#payload = payload;
  }

  /** @returns undefined after the last packet. A payload has at least one packet, which can be empty */
  next(): string | undefined {
    if (this.#at > this.#payload.length) return undefined;
    const found = this.#payload.indexOf(separator, this.#at);
    const end = found === -1 ? this.#payload.length : found;
    const packet = this.#payload.slice(this.#at, end);
    this.#at = end + 1;
    return packet;
  }
}
