import { separator } from '../hostile/wire.ts';
import type { MeantDifference } from './compare.ts';
import { engineWordings } from './engine-wordings.ts';
import {
  endsWebSocket,
  framesOf,
  hasClosed,
  hasEventBefore,
  hasMoreAnswers,
  isClose,
  isEnd,
  isEvent,
  isPoll,
  isRefusedNamespace,
  openedIn,
  packetsIn,
  packetsOf,
  polled,
  polledIn,
  withoutRefusedNamespaces,
} from './meant-parts.ts';

const oldClient = 'close 1002 "Unsupported protocol version: use a Socket.IO 3 or 4 client."';

/** What only the engine answers otherwise than stock Socket.IO, and why. */
export const engineDifferences: readonly MeantDifference[] = [
  ...engineWordings,
  {
    what: 'The last poll of a session gets a packet of type close alone.',
    why: 'Socket.IO puts a packet of type noop before it, or in its place if the client has closed the session.',
    example: [...polledIn, { do: 'post', session: 0, packets: ['47'] }, { do: 'poll', session: 0 }],
    isLast: false,
    matches: ({ actions, part, stock, other }) =>
      part === 'body' &&
      other === '1' &&
      (stock === `6${separator}1` || (stock === '6' && actions.flatMap(packetsOf).some(isClose))),
  },
  {
    what: 'A poll that waits when a packet of the wrong type comes gets the packet of type close.',
    why: 'Answers are sent together at the end of a turn. Socket.IO has sent the first one by then.',
    example: [...polled, { do: 'poll', session: 0 }, { do: 'post', session: 0, packets: ['40/other,', '9'] }],
    isLast: true,
    matches: (difference) =>
      isPoll(difference) &&
      difference.other === '1' &&
      isRefusedNamespace(difference.stock) &&
      packetsOf(difference.action)
        .slice(1)
        .some((packet) => !/^[346b]/.test(packet)),
  },
  {
    what: 'A poll that waits gets all answers to a request together.',
    why: 'Socket.IO answers it with the first packet alone, so that the client needs another poll for the rest.',
    example: [
      ...polledIn,
      { do: 'poll', session: 0 },
      { do: 'post', session: 0, packets: ['427["a"]', '428["b"]'] },
    ],
    isLast: true,
    matches: ({ action }, step) =>
      action.do === 'post' &&
      step.some((one) => {
        const [stock, other] = [packetsIn(one.stock), packetsIn(one.other)];
        const [first = ''] = stock;
        return (
          isPoll(one) &&
          stock.length === 1 &&
          other.length > 1 &&
          (other[0] === first || (isRefusedNamespace(first) && other.length === 16))
        );
      }),
  },
  {
    what: 'The events before a malformed packet are still carried out and answered.',
    why: 'Socket.IO drops the events that came in the same turn of the event loop: a publish could be lost.',
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '427["a"]' }, { text: '47' }] }],
    isLast: true,
    matches: ({ actions }, step) => {
      const mixed = actions.filter((action) => hasEventBefore(action, (packet) => !isEvent(packet)));
      // The app ends a session after what waits for the client is read.
      const mayEnd = mixed.flatMap(packetsOf).some(isEnd);
      return (
        mixed.length > 0 &&
        step.some(
          (one) =>
            (one.part === 'frames' || one.part === 'body') &&
            (hasMoreAnswers(one) || (mayEnd && hasClosed(one.stock) && !hasClosed(one.other))),
        )
      );
    },
  },
  {
    what: 'A packet DISCONNECT takes effect at once.',
    why: 'The engine takes all packets in their order. Socket.IO takes what comes with it as if it were not there.',
    example: [
      ...polledIn,
      { do: 'post', session: 0, packets: ['41', '42["a"]'] },
      { do: 'poll', session: 0 },
    ],
    isLast: true,
    matches: ({ actions }, step) =>
      actions.some((action) => packetsOf(action).slice(0, -1).some(isDisconnect)) &&
      step.some(
        ({ part, stock, other }) =>
          hasClosed(other) !== hasClosed(stock) ||
          (part === 'body' &&
            (stock.startsWith(other + separator) ||
              isRefusedNamespace(stock) ||
              stock.includes('Session ID unknown'))),
      ),
  },
  {
    what: 'After the app has ended a session, no further packet is taken.',
    why: 'Socket.IO takes events a turn later than other packets, so it still refuses a namespace.',
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '42["end"]' }, { text: '40/other,' }] }],
    isLast: true,
    matches: ({ actions }, step) =>
      actions.some((action) =>
        /^42\d*\["(?:end|leave)"[^]*^40\/other,/m.test(packetsOf(action).join('\n')),
      ) &&
      step.some(
        ({ stock, other }) =>
          packetsIn(stock).some(isRefusedNamespace) &&
          (withoutRefusedNamespaces(stock) === withoutRefusedNamespaces(other) ||
            stock === packetsIn(stock)[0]),
      ),
  },
  {
    what: 'A closing or invalid frame comes before the answers to the packets of the same read.',
    why: 'Answers are written together at the end of a turn, and nothing may follow the closing frame of the server.',
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '427["a"]' }, { wrong: 'no mask' }] }],
    isLast: true,
    matches: ({ action, part, stock, other }) =>
      action.do === 'send' &&
      action.frames.slice(1).some(endsWebSocket) &&
      part === 'frames' &&
      framesOf(stock).some((frame) => frame.startsWith('close ')) &&
      /^close .*$/.test(other),
  },
  {
    what: 'A client of another version that asks for a websocket is told so over the websocket.',
    why: 'Socket.IO writes an HTTP response into the websocket, which no client can read.',
    example: [{ do: 'open', query: 'EIO=3&transport=websocket' }],
    isLast: false,
    matches: ({ connection, part, stock, other }) =>
      /\(websocket (?!.*EIO=4)/.test(connection) &&
      (part === 'end' ||
        (part === 'more responses' && stock.includes('"body":"Unsupported protocol version"')) ||
        (part === 'frames' && other === oldClient)),
  },
  {
    what: 'A session over a websocket cannot be upgraded.',
    why: 'Socket.IO lets a client replace its websocket by another one. No client does this.',
    example: [{ do: 'open' }, { do: 'open', session: 0 }],
    isLast: true,
    matches: ({ action, part, stock, other }) =>
      action.do === 'open' && part === 'frames' && stock === '' && other === 'close without a code',
  },
  {
    what: 'A session is known until its websocket is closed.',
    why: 'It is counted until then. Socket.IO forgets it when it sends the closing frame.',
    example: [
      { do: 'open' },
      { do: 'send', socket: 0, frames: [{ text: '47' }] },
      { do: 'poll', session: 0 },
    ],
    isLast: false,
    matches: ({ action, connection }, step) =>
      step.some(
        ({ part, stock, other, ...one }) =>
          one.connection === connection &&
          part === 'body' &&
          (stock === '{"code":1,"message":"Session ID unknown"}'
            ? other === '{"code":3,"message":"Bad request"}'
            : action.do === 'open' && stock === 'Session ID unknown' && other === ''),
      ),
  },
  {
    what: 'A client that does not poll while data waits for it is disconnected after 30 seconds.',
    why: 'Data that nobody reads takes memory (PROTOCOL.md, 3.13).',
    example: [
      ...polled,
      { do: 'post', session: 0, packets: ['40'] },
      { do: 'wait' },
      { do: 'poll', session: 0 },
    ],
    isLast: true,
    matches: ({ actions }, step) =>
      actions.some((action) => action.do === 'wait') &&
      step.some(
        ({ stock, other }) => !stock.includes('Session ID unknown') && other.includes('Session ID unknown'),
      ),
  },
  {
    what: 'An event with binary data is parsed when its data has come.',
    why: 'It is parsed once. Its client sends the data at once.',
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '451-["connect"]' }] }],
    isLast: true,
    matches: ({ actions }, step) =>
      actions.some((action) => packetsOf(action).some((packet) => /^45\d+-/.test(packet))) &&
      step.some(({ stock, other }) => hasClosed(stock) && !hasClosed(other)),
  },
  {
    what: 'An event without a name has none for the app.',
    why: 'An app of Socket.IO gets the function for the acknowledgement as the name.',
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '427' }] }],
    isLast: true,
    matches: ({ actions, stock }) =>
      actions.some((action) => packetsOf(action).some((packet) => /^42\d+$/.test(packet))) &&
      stock.includes('["heard","function '),
  },
  {
    what: 'A number for an acknowledgement has at most 15 digits.',
    why: 'Longer numbers lose digits, so that the acknowledgement would have another number.',
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '421234567890123456["a"]' }] }],
    isLast: true,
    matches: ({ actions }, step) =>
      actions.some((action) => packetsOf(action).some((packet) => /^4\d[^[{"]*\d{16}/.test(packet))) &&
      step.some(({ stock, other }) => hasClosed(other) && !hasClosed(stock)),
  },
  {
    what: 'A request that has not arrived completely ends with its session, and does not end when it is upgraded.',
    why: 'A request that the client has begun before the upgrade may still be finished.',
    example: [
      ...polled,
      { do: 'post', session: 0, packets: ['42["a"]'], isHeld: true },
      { do: 'open', session: 0 },
      { do: 'send', socket: 0, frames: [{ text: '5' }] },
    ],
    isLast: true,
    matches: ({ action, actions }, step) =>
      actions.some((one) => one.do === 'post' && one.isHeld) &&
      step.some(
        ({ connection, part, stock, other }) =>
          (part === 'end' && /^\d+ \(POST/.test(connection)) ||
          (action.do === 'leave' && stock === '1' && other === ''),
      ),
  },
];

const isDisconnect = (packet: string): boolean => /^41(?:\/,)?$/.test(packet);
