import { Answers } from './answers.ts';
import type { Client, ClientEvents, Wire } from './client.ts';
import { Connection } from './connection.ts';

/** MQTT 3.1.1. Subscriptions have QoS 0; publishes have QoS 1, and the PUBACK is the acknowledgement. */
export const mqttWire: Wire = {
  open: (port, events) => MqttClient.open(port, events),
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

class MqttClient implements Client {
  readonly #connection: Connection;
  readonly #events: ClientEvents;
  readonly #answers: Answers;
  #packetId = 0;

  static async open(port: number, events: ClientEvents): Promise<Client> {
    const client = new MqttClient(port, events);
    const header = Buffer.concat([text('MQTT'), Buffer.from([4, cleanSession, 0, 0])]);
    client.#connection.write(packet(connect, Buffer.concat([header, text('')])));
    await client.#answers.next(1);
    return client;
  }

  private constructor(port: number, events: ClientEvents) {
    this.#events = events;
    this.#answers = new Answers(events.onFailure);
    this.#connection = new Connection(
      port,
      (bytes) => this.#take(bytes),
      (reason) => this.#answers.fail(reason),
    );
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      const qos0 = Buffer.from([0]);
      this.#connection.write(packet(subscribe, Buffer.concat([this.#nextPacketId(), text(topic), qos0])));
    }
    await this.#answers.next(topics.length);
  }

  publish(topic: string, message: string): void {
    const body = Buffer.concat([text(topic), this.#nextPacketId(), Buffer.from(message, 'latin1')]);
    this.#connection.write(packet(publishQos1, body));
  }

  close(): void {
    this.#connection.close();
  }

  #nextPacketId(): Buffer {
    this.#packetId = (this.#packetId % packetIdMax) + 1;
    return Buffer.from([this.#packetId >> 8, this.#packetId & 0xff]);
  }

  #take(bytes: Buffer): number {
    let at = 0;
    while (at + 2 <= bytes.length) {
      let length = 0;
      let start = at + 1;
      for (let shift = 0; ; shift += 7) {
        if (start >= bytes.length) return at;
        const byte = bytes[start++] ?? 0;
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      const end = start + length;
      if (end > bytes.length) break;
      this.#takePacket(bytes, at, start, end);
      at = end;
    }
    return at;
  }

  /** @param body - where what follows the length begins */
  #takePacket(bytes: Buffer, start: number, body: number, end: number): void {
    const kind = bytes[start] ?? 0;
    if (kind === publishQos0) this.#events.onDelivery(bytes, start, end);
    else if (kind === publishAck) this.#events.onAck();
    else if (
      (kind === connectAck && bytes[body + 1] === 0) ||
      (kind === subscribeAck && bytes[body + 2] === 0)
    )
      this.#answers.take();
    else this.#answers.fail(`the server sent ${bytes.toString('hex', start, Math.min(end, start + 20))}`);
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

/** @param ascii - it goes with its length before it */
function text(ascii: string): Buffer {
  return Buffer.concat([Buffer.from([ascii.length >> 8, ascii.length & 0xff]), Buffer.from(ascii, 'latin1')]);
}
