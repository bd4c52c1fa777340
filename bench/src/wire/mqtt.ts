import type { Wire } from './client.ts';
import { TcpClient } from './tcp-client.ts';

/** MQTT 3.1.1. Subscriptions have QoS 0; publishes have QoS 1, and the PUBACK is the acknowledgement. */
export const mqttWire: Wire = {
  open: (port, events) => new MqttClient(port, events).open(),
  delivery: (topic, message) => packet(publishQos0, Buffer.concat([text(topic), Buffer.from(message)])),
  bytesAfterMessage: 0,
};

/** First bytes of packets. */
const connect = 0x10;
const connectAck = 0x20;
const publishQos0 = 0x30;
const publishQos1 = 0x32;
const publishAck = 0x40;
const subscribe = 0x82;
const subscribeAck = 0x90;

const cleanSession = 0x02;
const packetIdMax = 0xffff;

class MqttClient extends TcpClient {
  #packetId = 0;

  protected greet(): Promise<void> {
    const header = Buffer.concat([text('MQTT'), Buffer.from([4, cleanSession, 0, 0])]);
    return this.ask(packet(connect, Buffer.concat([header, text('')])), 1);
  }

  subscribe(topics: readonly string[]): Promise<void> {
    const qos0 = Buffer.from([0]);
    const packets = topics.map((topic) =>
      packet(subscribe, Buffer.concat([this.#nextPacketId(), text(topic), qos0])),
    );
    return this.ask(Buffer.concat(packets), topics.length);
  }

  publish(topic: string, message: string): void {
    const body = Buffer.concat([text(topic), this.#nextPacketId(), Buffer.from(message, 'latin1')]);
    this.connection.write(packet(publishQos1, body));
  }

  protected frameEnd(bytes: Buffer, start: number): number {
    const body = bodyStart(bytes, start);
    if (body === -1) return -1;
    const end = body + bodyLength(bytes, start);
    return end > bytes.length ? -1 : end;
  }

  protected takeFrame(bytes: Buffer, start: number, end: number): void {
    const kind = bytes[start] ?? 0;
    const body = bodyStart(bytes, start);
    if (kind === publishQos0) this.events.onDelivery(bytes, start, end);
    else if (kind === publishAck) this.events.onAck();
    else if (
      (kind === connectAck && bytes[body + 1] === 0) ||
      (kind === subscribeAck && bytes[body + 2] === 0)
    )
      this.answers.take();
    else this.answers.fail(`the server sent ${bytes.toString('hex', start, Math.min(end, start + 20))}`);
  }

  #nextPacketId(): Buffer {
    this.#packetId = (this.#packetId % packetIdMax) + 1;
    return Buffer.from([this.#packetId >> 8, this.#packetId & 0xff]);
  }
}

/** Where the body of a packet begins, after its kind and its length; -1 if the length is not complete. */
function bodyStart(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (at < bytes.length) if ((bytes[at++] ?? 0) < 0x80) return at;
  return -1;
}

/** The length of the body, as the packet gives it: seven bits a byte, the lowest first. */
function bodyLength(bytes: Buffer, start: number): number {
  let length = 0;
  let shift = 0;
  for (let at = start + 1; ; at++, shift += 7) {
    const byte = bytes[at] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return length;
  }
}

function packet(kind: number, body: Buffer): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    const more = rest > 0x7f ? 0x80 : 0;
    length.push((rest & 0x7f) | more);
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([kind, ...length]), body]);
}

/** Encodes a text, with its length before it. @param ascii - ASCII only */
function text(ascii: string): Buffer {
  return Buffer.concat([Buffer.from([ascii.length >> 8, ascii.length & 0xff]), Buffer.from(ascii, 'latin1')]);
}
