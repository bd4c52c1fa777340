import { FanfareError } from '@fanfare/protocol';
import { Decoder, PacketType } from 'socket.io-parser';
import { isSeveralValues } from '../message-path/json-text.ts';
import { refusalBySize } from '../message-path/message-size.ts';

/** The argument of a publish, as it was received. The message path parses it. */
export class TextArgument {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }
}

/** Replaces arguments of an event that were not parsed. */
export class RefusedArgument {
  readonly reason: FanfareError;

  constructor(reason: FanfareError) {
    this.reason = reason;
  }
}

/** The beginning of an event without attachments: its acknowledgement number and its name. */
const eventPattern = /^2(\d{0,15})\["([\w-]{1,100})",/;

/** The packet of a client that leaves. */
const leaving = String(PacketType.DISCONNECT);

/**
 * A publish can have several arguments, of which the first counts. A longer packet is not checked for this.
 */
const severalArgumentsMax = 65_536;

/** A packet cannot be read, and its connection is closed. */
export class UnreadablePacketError extends Error {
  override readonly name = 'UnreadablePacketError';
  /** The error for the client. */
  readonly refusal: FanfareError;

  constructor(refusal: FanfareError) {
    super(refusal.message, { cause: refusal });
    this.refusal = refusal;
  }
}

const foreignParser =
  'The server received binary data that does not belong to a packet. Clients must use the parser of Socket.IO, not another such as msgpack.';

const foreignPacket =
  'The server received text that is not a packet of Socket.IO 4 (protocol 5), or whose content is not JSON.';

const missingAttachments =
  'The server received an event while it waited for the binary attachments of an earlier packet.';

const notJson = 'The arguments of an event must be JSON, without NaN and Infinity.';

/** The log line for an event whose arguments are not JSON. */
export const refusedEvent: string = `A client sent an event that was refused. ${notJson}`;

/**
 * Socket.IO's own decoder, with four differences:
 *
 * - A publish gets a {@link TextArgument}. The message path checks and parses it like all publishes, and its
 *   message is delivered with the same characters.
 * - Any other event that is not JSON, or would take long to parse, gets a {@link RefusedArgument}.
 * - Any other packet that is not JSON, or would take long to parse, closes the connection with an
 *   {@link UnreadablePacketError}.
 * - A disconnect packet takes effect in the next turn of the event loop. Socket.IO drops the events of
 *   clients that have left by the end of the turn.
 *
 * Socket.IO makes a decoder for each connection, without arguments.
 *
 * @param onFault - called with the fault of a client, one of a few sentences
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
      const [begin = '', id = '', name] = eventPattern.exec(packet) ?? [];
      if (name === 'publish' && packet.endsWith(']')) {
        const json = packet.slice(begin.length, -1);
        if (json.length > severalArgumentsMax || !isSeveralValues(json))
          return this.#emit(id, name, new TextArgument(json));
      }
      const refusal = refusalBySize(packet, publishBytesMax);
      if (refusal && name === undefined) throw refusal;
      if (refusal) return this.#emit(id, name, new RefusedArgument(refusal));
      try {
        super.add(packet);
      } catch (error) {
        if (name === undefined) throw error;
        if (isReadable(packet)) throw new FanfareError('bad_request', missingAttachments);
        onFault(refusedEvent);
        this.#emit(id, name, new RefusedArgument(new FanfareError('bad_request', notJson)));
      }
    }

    #emit(id: string, name: string | undefined, argument: TextArgument | RefusedArgument): void {
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

/** Whether a packet can be read if nothing comes before it. */
function isReadable(packet: string): boolean {
  try {
    new Decoder().add(packet);
    return true;
  } catch {
    return false;
  }
}
