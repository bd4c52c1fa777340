import fc, { type Arbitrary } from 'fast-check';
import { cutSomewhere, request, type Conversation } from './http.ts';
import { encodeFrame, engineIoPacket, frame, textFrame } from './packets.ts';
import { requestText } from './requests.ts';

export const handshake: Buffer = Buffer.from(
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
);

export const connectFrame: Buffer = textFrame('40');

/** A packet that exceeds the size limit of packets. */
const hugeFrame: Arbitrary<Conversation> = fc
  .constantFrom(100_000, 3_000_000)
  .map((bytes) => textFrame(`42["publish",${JSON.stringify({ topic: 'news', message: 'a'.repeat(bytes) })}]`))
  .map((frames) => [handshake, connectFrame, frames]);

/** An event that Socket.IO accepts, with any content. */
const command: Arbitrary<string> = fc
  .tuple(
    fc.constantFrom('subscribe', 'unsubscribe', 'publish', 'token', 'nothing', '__proto__'),
    requestText.filter(isJson),
    fc.nat(9),
  )
  .map(([name, argument, ack]) => `42${ack}["${name}",${argument}]`);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Commands, and after them packets that can close the websocket.
 *
 * @param connect - the packet with which most conversations begin
 */
export function socketConversationWith(connect: Arbitrary<Buffer>): Arbitrary<Conversation> {
  const parts = fc.tuple(
    fc.oneof(
      { weight: 20, arbitrary: connect.map((one) => [one]) },
      { weight: 1, arbitrary: fc.constant([]) },
    ),
    fc.array(command, { maxLength: 30 }),
    fc.array(frame, { maxLength: 4 }),
  );
  return cutSomewhere(
    parts.map(([first, commands, frames]) =>
      [handshake].concat(first, commands.map(textFrame), frames.map(encodeFrame)),
    ),
  );
}

export const socketConversation: Arbitrary<Conversation> = fc.oneof(
  { weight: 200, arbitrary: socketConversationWith(fc.constant(connectFrame)) },
  { weight: 1, arbitrary: hugeFrame },
);

/** The number of inputs in the first pieces of a conversation: opening a connection does not count. */
export function inputsIn(pieces: Conversation, taken: number = pieces.length): number {
  return pieces.slice(0, taken).filter((piece) => piece !== handshake && piece !== connectFrame).length;
}

/** The requests of a polling session after its handshake, with upgrades, in and out of order. */
export interface Session {
  readonly steps: readonly SessionStep[];
}

interface SessionStep {
  readonly kind: 'post' | 'poll' | 'upgrade' | 'other transport' | 'other method';
  readonly packets: readonly string[];
  readonly frames: readonly Buffer[];
}

export const session: Arbitrary<Session> = fc.record({
  steps: fc.array(
    fc.record({
      kind: fc.constantFrom('post', 'post', 'post', 'poll', 'upgrade', 'other transport', 'other method'),
      packets: fc.array(
        fc.oneof({ weight: 1, arbitrary: fc.constant('40') }, { weight: 3, arbitrary: engineIoPacket }),
        { maxLength: 6 },
      ),
      frames: fc.array(
        fc.oneof(fc.constantFrom('2probe', '5', '3probe', '40').map(textFrame), frame.map(encodeFrame)),
        { maxLength: 4 },
      ),
    }),
    { minLength: 1, maxLength: 6 },
  ),
});

/** The bytes of each step, which has its own connection. */
export function conversationsOf({ steps }: Session, sid: string): readonly Conversation[] {
  return steps.map(({ kind, packets, frames }) => {
    const path = `/socket.io/?EIO=4&sid=${sid}&transport=`;
    const payload = Buffer.from(packets.join('\u001e'));
    switch (kind) {
      case 'post':
        return [request('POST', `${path}polling`, payload)];
      case 'poll':
        return [request('GET', `${path}polling`, Buffer.alloc(0))];
      case 'other method':
        return [request('PUT', `${path}polling`, payload)];
      case 'other transport':
        return [request('POST', `${path}websocket`, payload)];
      case 'upgrade':
        return [
          Buffer.from(handshake.toString().replace('transport=websocket', `transport=websocket&sid=${sid}`)),
          ...frames,
        ];
    }
  });
}

export const openSession: Buffer = request('GET', '/socket.io/?EIO=4&transport=polling', Buffer.alloc(0));

/** The id of a session, from the response to its handshake. */
export function sidIn(answer: string): string | undefined {
  return /"sid":"([^"]+)"/.exec(answer)?.[1];
}
