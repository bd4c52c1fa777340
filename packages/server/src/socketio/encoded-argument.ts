import { Encoder, PacketType, type Packet } from 'socket.io-parser';

/**
 * An argument of an event that is already JSON text. Fanfare's own Socket.IO server puts the text into the
 * packet unchanged. Any other encoder gets an ordinary value through `toJSON`.
 */
export class EncodedArgument {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }

  toJSON(): unknown {
    return JSON.parse(this.json);
  }
}

/** Socket.IO's own encoder, except that it uses the text of an {@link EncodedArgument} unchanged. */
export class PassingEncoder extends Encoder {
  override encode(packet: Packet): unknown[] {
    if (packet.type === PacketType.EVENT && Array.isArray(packet.data)) {
      const [event, argument] = packet.data as unknown[];
      if (argument instanceof EncodedArgument) return [encodeEvent(packet.nsp, String(event), argument)];
    }
    return super.encode(packet);
  }
}

function encodeEvent(namespace: string, event: string, { json }: EncodedArgument): string {
  const prefix = namespace === '/' ? '' : `${namespace},`;
  return `${PacketType.EVENT}${prefix}[${JSON.stringify(event)},${json}]`;
}
