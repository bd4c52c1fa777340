import { separator } from '../hostile/wire.ts';
import type { Action, Frame, Sequence } from './actions.ts';
import { limits } from './app.ts';
import type { Difference } from './compare.ts';

export const polled: Sequence = [{ do: 'ask', query: 'EIO=4&transport=polling' }];

/** A client that has logged in over polling, and has no poll. */
export const polledIn: Sequence = [
  ...polled,
  { do: 'post', session: 0, packets: ['40'] },
  { do: 'poll', session: 0 },
];

/** A client that has logged in over a websocket. */
export const openedIn: Sequence = [{ do: 'open' }, { do: 'send', socket: 0, frames: [{ text: '40' }] }];

/** The packets that a client sends with an action, as they are sent over polling. */
export function packetsOf(action: Action): readonly string[] {
  if (action.do === 'post') return action.packets.flatMap((packet) => packet.split(separator));
  return action.do === 'send' ? action.frames.flatMap(packetsOfFrame) : [];
}

function packetsOfFrame(frame: Frame): readonly string[] {
  if ('text' in frame) return [frame.text];
  return 'binary' in frame ? [`b${Buffer.from(frame.binary, 'hex').toString('base64')}`] : [];
}

/** Whether an action has an event before a packet of another kind. */
export function hasEventBefore(action: Action, isOther: (packet: string) => boolean): boolean {
  const packets = packetsOf(action);
  const first = packets.findIndex((packet) => /^4[25]/.test(packet));
  return first >= 0 && packets.slice(first + 1).some(isOther);
}

/** Whether a frame ends the websocket, whatever is in it. */
export function endsWebSocket(frame: Frame): boolean {
  return (
    'close' in frame || 'wrong' in frame || ('text' in frame && frame.text.length > limits.packetBytesMax)
  );
}

/** Whether a packet is an event that Socket.IO takes. */
export function isEvent(packet: string): boolean {
  return (
    /^42\d*\[(?:"(?!(?:connect|connect_error|disconnect|disconnecting)")|\d)/.test(packet) &&
    !isRefusedEvent(packet)
  );
}

/** Whether a packet is an event with which the app ends the session. */
export function isEnd(packet: string): boolean {
  return /^42\d*\["(?:end|leave)"/.test(packet);
}

/** Whether a client closes a session that the server is closing already, because of an earlier packet. */
export function closesAfterEnd(actions: Sequence): boolean {
  return actions.some(
    (action, at) =>
      (action.do === 'ask' || action.do === 'open') && endsBeforeClose(actions.slice(at).flatMap(packetsOf)),
  );
}

/** @param packets - what a client sends from its beginning */
function endsBeforeClose(packets: readonly string[]): boolean {
  const before = packets.slice(0, Math.max(0, packets.findIndex(isClose)));
  const isLogin = (packet: string): boolean => /^40(?:\/,)?(?:\{.*\})?$/.test(packet);
  const login = before.findIndex((packet) => isLogin(packet) && !packet.includes('"token":"bad"'));
  return before.some((packet, at) => {
    if (/^(?:[36]|40\/other)/.test(packet)) return false;
    if (isLogin(packet)) return login >= 0 && at > login;
    // Everything else may end the session, also binary data.
    const isTaken = isEvent(packet) || /^43\d*\[/.test(packet);
    return !isTaken || isEnd(packet) || login < 0 || at < login;
  });
}

/** Whatever comes after the type of a packet, it closes the session. */
export function isClose(packet: string): boolean {
  return packet.startsWith('1');
}

/** Whether Socket.IO's decoder refuses an event, and the packet shows which event it was meant to be. */
export function isRefusedEvent(packet: string): boolean {
  const [, args] = /^42\d*(\[.*)$/s.exec(packet) ?? [];
  if (args === undefined) return false;
  if (/^\["(?:connect|connect_error|disconnect|disconnecting|newListener|removeListener)",/.test(args))
    return true;
  try {
    JSON.parse(args);
    return false;
  } catch {
    return true;
  }
}

/** Whether a difference is in the response to a poll. */
export function isPoll({ part, connection }: Difference): boolean {
  return part === 'body' && /^\d+ \(GET/.test(connection);
}

/** The packets of the body of a response, or the frames of a websocket. */
export function packetsIn(answer: string): readonly string[] {
  return answer.split(answer.includes(separator) ? separator : '\n');
}

export function framesOf(answer: string): readonly string[] {
  return answer.split('\n');
}

export function isRefusedNamespace(packet: string): boolean {
  return /^(?:text )?44\/other,/.test(packet);
}

export function refusedNamespacesFirst(answer: string): string {
  const packets = packetsIn(answer);
  const others = packets.filter((packet) => !isRefusedNamespace(packet));
  return [...packets.filter(isRefusedNamespace), ...others].join(
    answer.includes(separator) ? separator : '\n',
  );
}

export function withoutRefusedNamespaces(answer: string): string {
  return packetsIn(answer)
    .filter((packet) => !isRefusedNamespace(packet))
    .join('\n');
}

export function pongsIn(frames: string): readonly string[] {
  return framesOf(frames).filter((frame) => frame.startsWith('pong '));
}

export function withoutPongs(frames: string): string {
  return frames.replaceAll(/^pong .*\n?/gm, '').trimEnd();
}

/** Whether a server closes the session, or has closed it before. */
export function hasClosed(answer: string): boolean {
  return /^1$|^close |Session ID unknown/m.test(packetsIn(answer).join('\n'));
}

/** Whether the other server has answered everything that stock Socket.IO has, and more. */
export function hasMoreAnswers(difference: Difference): boolean {
  const [stock, other] = [withoutEnds(difference.stock), withoutEnds(difference.other)];
  return (
    other.length > stock.length &&
    other.every((packet, at) =>
      at < stock.length ? packet === stock[at] : /^(?:text )?4(?:[123]|4\/other)/.test(packet),
    )
  );
}

/** Packets without those that say that the session has ended. */
function withoutEnds(answer: string): readonly string[] {
  return packetsIn(answer).filter((packet) => !/^(?:1|6|close .*|text [16]|\{"code":1,.*|)$/.test(packet));
}
