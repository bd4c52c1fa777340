import type { MeantDifference } from './compare.ts';
import { engineDifferences } from './engine-differences.ts';
import {
  closesAfterEnd,
  hasClosed,
  hasMoreAnswers,
  isClose,
  isRefusedEvent,
  openedIn,
  packetsIn,
  packetsOf,
  polled,
  polledIn,
  pongsIn,
  withoutPongs,
  withoutRefusedNamespaces,
} from './meant-parts.ts';

/** The headers that tell which pages may read a response. */
const pageHeaders: ReadonlySet<string> = new Set(['header vary', 'header cross-origin-resource-policy']);

/** What the ends answer otherwise than stock Socket.IO 4.8.4, and why. */
export const meantDifferences: readonly MeantDifference[] = [
  {
    what: 'Every response says which pages may read it.',
    why: 'Without the option `cors`, Socket.IO says nothing, and a page of any origin may embed the response.',
    ends: ['socket.io'],
    example: [{ do: 'ask', query: 'EIO=4&transport=polling' }],
    isLast: false,
    matches: ({ part, stock }) => pageHeaders.has(part) && stock === '',
  },
  {
    what: 'A websocket whose client does not answer a close is ended after a second, and not after 30.',
    why: 'A client that has gone should not hold memory for half a minute.',
    ends: ['socket.io', 'engine'],
    example: [...polled, { do: 'open', session: 0 }, { do: 'wait' }],
    isLast: false,
    matches: ({ part, frames }) => part === 'end' && frames.some((frame) => frame.startsWith('close ')),
  },
  {
    what: 'Of several pings of a websocket that come at once, not all are answered, but always the last.',
    why: 'A client that sends pings and does not read would fill the memory. RFC 6455, 5.5.3 allows it.',
    ends: ['socket.io', 'engine'],
    example: [
      { do: 'open' },
      { do: 'send', socket: 0, frames: [{ ping: '1' }, { ping: '2' }, { ping: '3' }] },
    ],
    isLast: false,
    matches: ({ action, part, stock, other }) =>
      part === 'frames' &&
      action.do === 'send' &&
      action.frames.filter((frame) => 'ping' in frame).length > 1 &&
      withoutPongs(stock) === withoutPongs(other) &&
      pongsIn(stock).at(-1) === pongsIn(other).at(-1),
  },
  {
    what: 'JSONP is refused.',
    why: 'Engine.IO 4 does not have it: it is for browsers of before 2012.',
    ends: ['socket.io', 'engine'],
    example: [{ do: 'ask', query: 'EIO=4&transport=polling&j=0' }],
    isLast: true,
    matches: ({ action }) => action.do === 'ask' && action.query.includes('&j='),
  },
  {
    what: 'A response to a poll has at most 16 packets.',
    why: 'python-engineio refuses a response with more, and drops all its packets.',
    ends: ['socket.io', 'engine'],
    example: [...polledIn, { do: 'post', session: 0, packets: ['42["many"]'] }, { do: 'poll', session: 0 }],
    isLast: true,
    matches: (_difference, step) =>
      step.some(
        ({ part, stock, other }) =>
          part === 'body' &&
          packetsIn(other).length === 16 &&
          withoutRefusedNamespaces(stock).startsWith(`${withoutRefusedNamespaces(other)}\n`),
      ),
  },
  {
    what: "An event that is not JSON, or has a name of Socket.IO's own, is refused with a reason.",
    why: 'Socket.IO closes the connection without a reason, and the developer of the client learns nothing.',
    ends: ['socket.io'],
    example: [...openedIn, { do: 'send', socket: 0, frames: [{ text: '427["a",NaN]' }] }],
    isLast: true,
    matches: ({ actions }, step) =>
      actions.some((action) => packetsOf(action).some(isRefusedEvent)) &&
      step.some(
        (one) =>
          /must be JSON|Session ID unknown/.test(one.other) ||
          hasMoreAnswers(one) ||
          (hasClosed(one.stock) && (!hasClosed(one.other) || /^close \d/m.test(one.other))),
      ),
  },
  {
    what: 'A client that logs in twice at once is disconnected.',
    why: 'Each of these logins takes as much memory as a client, and Socket.IO accepts them all.',
    ends: ['socket.io', 'engine'],
    example: [{ do: 'open' }, { do: 'send', socket: 0, frames: [{ text: '40' }, { text: '40' }] }],
    isLast: true,
    matches: ({ actions }, step) =>
      step.some(({ part, other }) => (part === 'end' && other !== '') || hasClosed(other)) &&
      actions.some((action) => packetsOf(action).filter((one) => /^40(?!\/other)/.test(one)).length > 1),
  },
  {
    what: 'The events before a packet that ends the session are still carried out and answered.',
    why: 'Socket.IO drops the events that came in the same turn of the event loop: a publish could be lost.',
    ends: ['socket.io'],
    example: [
      ...polledIn,
      { do: 'poll', session: 0 },
      { do: 'post', session: 0, packets: ['427["a"]', '1'] },
    ],
    isLast: true,
    matches: ({ action }, step) =>
      packetsOf(action).slice(1).some(isClose) &&
      step.some(({ stock, other }) => stock === '6' && /^4[23]/.test(other)),
  },
  {
    what: 'A polling session that the server is closing reads no further packets.',
    why: 'Socket.IO reads them, and a packet of type close ends the session a poll earlier.',
    ends: ['socket.io', 'engine'],
    example: [...polledIn, { do: 'post', session: 0, packets: ['40', '1'] }, { do: 'poll', session: 0 }],
    isLast: true,
    matches: ({ actions }, step) =>
      closesAfterEnd(actions) &&
      step.some(
        ({ part, stock, other }) =>
          (stock.includes('Session ID unknown') && !other.includes('Session ID unknown')) ||
          (part === 'frames' && stock === 'close without a code' && other === ''),
      ),
  },
  {
    what: 'A packet DISCONNECT takes effect in the next turn of the event loop.',
    why: 'Socket.IO drops the events that came in the same turn before it: a publish could be lost.',
    ends: ['socket.io'],
    example: [
      { do: 'ask', query: 'EIO=4&transport=polling' },
      { do: 'post', session: 0, packets: ['41', '2'] },
      { do: 'poll', session: 0 },
    ],
    isLast: true,
    matches: ({ actions }, step) =>
      actions.some((action) => packetsOf(action).includes('41')) &&
      step.some(
        ({ stock, other }) =>
          (hasClosed(stock) && !other.endsWith(stock)) || (hasClosed(other) && !hasClosed(stock)),
      ),
  },
  ...engineDifferences,
];
