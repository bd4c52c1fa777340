import type { MeantWording } from './compare.ts';
import { framesOf, openedIn, refusedNamespacesFirst } from './meant-parts.ts';

/** What the closing frame of a client says that has broken the protocol. */
const closeReasons = [
  'The text is not a packet of Socket.IO 4 (protocol 5).',
  'A binary message must have 1 to 10 attachments.',
  'An event must begin with a name that is not reserved.',
  'A placeholder has a wrong number.',
  'The login took too long.',
  'The payload of a message must be JSON.',
  'A message came for a namespace to which the client is not connected.',
  'An event came instead of the attachments of an earlier event.',
  'Binary data came that does not belong to an event. Use the parser of Socket.IO, not another such as msgpack.',
  'This session cannot be upgraded.',
  'The upgrade of the session has failed.',
  'Transport unknown',
  'invalid heartbeat direction',
  'parse error',
  'ping timeout',
];

const closesWithReason: ReadonlySet<string> = new Set(
  closeReasons.map((reason) => `close 1002 ${JSON.stringify(reason)}`),
);

const placeholder = '{"_placeholder":true,"num":0}';

/** What the engine answers in other words or in another order than stock Socket.IO, and why. */
export const engineWordings: readonly MeantWording[] = [
  {
    what: 'The app sees placeholders in the place of binary data.',
    why: 'Fanfare refuses events with binary data, so the engine does not keep the data.',
    example: [
      ...openedIn,
      { do: 'send', socket: 0, frames: [{ text: `451-7["a",${placeholder}]` }, { binary: '01' }] },
    ],
    without: (answer) => answer.replaceAll(/"binary [\da-f]*"|\{"_placeholder":true,"num":\d\}/g, '"binary"'),
  },
  {
    what: 'The refusal of a namespace comes after the answers to the events before it.',
    why: 'The engine takes all packets in their order. Socket.IO takes events a turn later than other packets.',
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '427["a"]' }, { text: '40/other,' }] }],
    without: refusedNamespacesFirst,
  },
  {
    what: 'A closing frame says what the client did wrong.',
    why: 'Otherwise the developer of the client learns nothing.',
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '47' }] }],
    without: (answer) => {
      const frames = framesOf(answer);
      return frames.map((frame) => (closesWithReason.has(frame) ? 'close without a code' : frame)).join('\n');
    },
  },
];
