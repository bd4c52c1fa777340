import { encodeFrame } from '../hostile/inputs/packets.ts';

/**
 * What the client of a sequence does. Sessions, websockets and connections are counted from the latest, which
 * is 0. Every action is plain data, so that a failing sequence can be printed.
 */
export type Action =
  /** Asks for a new session over polling, or sends any other request without one. */
  | {
      readonly do: 'ask';
      readonly method?: string;
      readonly query: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Opens a websocket: for a new session, or for the upgrade of one. */
  | { readonly do: 'open'; readonly query?: string; readonly session?: number }
  | {
      readonly do: 'poll';
      readonly session: number;
      /** Polls even while another poll of the session has no response yet. */
      readonly isExtra?: boolean;
    }
  | {
      readonly do: 'post';
      readonly session: number;
      readonly packets: readonly string[];
      readonly type?: string;
      /** Sends all but the last bytes of the request. `finish` sends them. */
      readonly isHeld?: boolean;
    }
  | { readonly do: 'finish'; readonly connection: number }
  /** Sends frames over a websocket, in one piece. */
  | { readonly do: 'send'; readonly socket: number; readonly frames: readonly Frame[] }
  /** Ends the client's side of a TCP connection. */
  | { readonly do: 'leave'; readonly connection: number }
  /** Lets the time pass in which the server pings, or gives up a client that did not answer its last ping. */
  | { readonly do: 'wait' };

export type Sequence = readonly Action[];

/** A frame of a client. Bytes are in hexadecimal. */
export type Frame =
  | { readonly text: string }
  | { readonly binary: string }
  | { readonly ping: string }
  | { readonly pong: string }
  | { readonly close: number | undefined; readonly reason?: string }
  | { readonly wrong: WrongFrame };

export type WrongFrame = keyof typeof wrongFrames;

/** Frames that RFC 6455 does not allow, with a mask of zeros where they have one. */
export const wrongFrames = {
  'no mask': '8102343a',
  'a reserved bit': 'c182000000003430',
  'a reserved opcode': '8382000000003430',
  'a continuation of nothing': '8082000000003430',
  'a ping in fragments': '098000000000',
  'a ping of 126 bytes': '89fe007e00000000',
  'text that is not UTF-8': '81820000000034ff',
  'a close with one byte': '88810000000003',
  'a close with a wrong code': '88820000000003ed',
} as const satisfies Readonly<Record<string, string>>;

/** The bytes of a frame, masked with zeros, which leave the payload as it is. */
export function bytesOf(frame: Frame): Buffer {
  if ('text' in frame) return encode(0x1, Buffer.from(frame.text));
  if ('binary' in frame) return encode(0x2, Buffer.from(frame.binary, 'hex'));
  if ('ping' in frame) return encode(0x9, Buffer.from(frame.ping));
  if ('pong' in frame) return encode(0xa, Buffer.from(frame.pong));
  if ('wrong' in frame) return Buffer.from(wrongFrames[frame.wrong], 'hex');
  if (frame.close === undefined) return encode(0x8, Buffer.alloc(0));
  const code = Buffer.alloc(2);
  code.writeUInt16BE(frame.close);
  return encode(0x8, Buffer.concat([code, Buffer.from(frame.reason ?? '')]));
}

function encode(opcode: number, payload: Buffer): Buffer {
  return encodeFrame({ payload, opcode, fin: true, rsv: 0, isMasked: true, claimsMore: 0 });
}
