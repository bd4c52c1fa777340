import { FanfareError } from '@fanfare/protocol';
import { Decoder, PacketType } from 'socket.io-parser';
import { excessOf } from '../message-path/admit.ts';

/** What a publish came with: a value, and the text that it was parsed from. */
export class ParsedArgument {
  readonly value: unknown;
  readonly json: string;

  constructor(value: unknown, json: string) {
    this.value = value;
    this.json = json;
  }
}

/** Stands for what an event came with when that was not parsed. */
export class UnparsedArgument {
  readonly reason: FanfareError;

  constructor(reason: FanfareError) {
    this.reason = reason;
  }
}

/** The beginning of an event without attachments: the number of its acknowledgement, and its name. */
const eventPattern = /^2(\d{0,15})\["([\w-]{1,100})",/;

/** What a client sends when it leaves. */
const leaving = String(PacketType.DISCONNECT);

/** So much is parsed again when that failed, for Socket.IO to say what is wrong. */
const parsedAgainMax = 65_536;

/** A packet cannot be read, and its connection ends for it. */
export class UnreadablePacketError extends Error {
  override readonly name = 'UnreadablePacketError';
  /** What the client is told. */
  readonly refusal: FanfareError;

  constructor(refusal: FanfareError) {
    super(refusal.message, { cause: refusal });
    this.refusal = refusal;
  }
}

const foreignParser =
  'Binary data came that belongs to no packet. Is the client made with another parser than that of Socket.IO, such as msgpack?';

const foreignPacket =
  'What came is not a packet of Socket.IO 4 (protocol 5), or has content that is not JSON.';

const notJson = 'The arguments of an event must be JSON, and NaN and Infinity are not.';

/**
 * Socket.IO's own decoder, but for four things. An event that is too large for a publish, would take too long to parse, or is not JSON
 * comes with an {@link UnparsedArgument}; over any other packet like that the connection is closed with an
 * {@link UnreadablePacketError}. A publish comes with a {@link ParsedArgument}, so that its message is passed on as the characters that it
 * came in. And that a client leaves is told in the next turn of the event loop: Socket.IO gives an event to nobody whose sender has left by
 * the end of the turn.
 *
 * Socket.IO makes one for each connection, and has nothing to give it.
 *
 * @param onFault - is told what is wrong with a client: one sentence of a few that there are
 */
export function eventDecoder(publishBytesMax: number, onFault: (sentence: string) => void): typeof Decoder {
  return class extends Decoder {
    override add(packet: unknown): void {
      try {
        this.#add(packet);
      } catch (error) {
        const detail = typeof packet === 'string' ? foreignPacket : foreignParser;
        const refusal = error instanceof FanfareError ? error : new FanfareError('bad_request', detail);
        onFault(`The connection of a client was closed. ${refusal.message}`);
        throw new UnreadablePacketError(refusal);
      }
    }

    #add(packet: unknown): void {
      if (typeof packet !== 'string') return super.add(packet);
      if (packet === leaving) return void setImmediate(() => this.#leave());
      const excess = excessOf(packet, publishBytesMax);
      const [begin = '', id = '', name] = eventPattern.exec(packet) ?? [];
      if (excess && name === undefined) throw excess;
      if (excess) return this.#tell(id, name, new UnparsedArgument(excess));
      // Without the `]` of the event.
      const publish = name === 'publish' ? parse(packet.slice(begin.length, -1)) : undefined;
      if (publish) return this.#tell(id, name, publish);
      try {
        super.add(packet);
      } catch (error) {
        if (name === undefined) throw error;
        onFault(`A client sent an event that was refused. ${notJson}`);
        this.#tell(id, name, new UnparsedArgument(new FanfareError('bad_request', notJson)));
      }
    }

    #tell(id: string, name: string | undefined, argument: ParsedArgument | UnparsedArgument): void {
      this.emitReserved('decoded', {
        type: PacketType.EVENT,
        nsp: '/',
        ...(id !== '' && { id: Number(id) }),
        data: [name, argument],
      });
    }

    #leave(): void {
      this.emitReserved('decoded', { type: PacketType.DISCONNECT, nsp: '/' });
    }
  };
}

/** Undefined when the text is not one argument, but none or several. */
function parse(json: string): ParsedArgument | UnparsedArgument | undefined {
  try {
    return new ParsedArgument(JSON.parse(json), json);
  } catch (cause) {
    if (json.length <= parsedAgainMax) return undefined;
    return new UnparsedArgument(new FanfareError('bad_request', 'The publish is not JSON.', { cause }));
  }
}
