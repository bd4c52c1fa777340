import type { MeantDifference } from './compare.ts';
import { engineDifferences } from './engine-differences.ts';
import {
  closesAfterEnd,
  hasClosed,
  packetsIn,
  packetsOf,
  polled,
  polledIn,
  pongsIn,
  withoutPongs,
  withoutRefusedNamespaces,
} from './meant-parts.ts';

/** What the engine answers otherwise than stock Socket.IO 4.8.4, and why. */
export const meantDifferences: readonly MeantDifference[] = [
  {
    what: 'A websocket whose client does not answer a close is ended after a second, and not after 30.',
    why: 'A client that has gone should not hold memory for half a minute.',
    example: [...polled, { do: 'open', session: 0 }, { do: 'wait' }],
    isLast: false,
    matches: ({ part, frames }) => part === 'end' && frames.some((frame) => frame.startsWith('close ')),
  },
  {
    what: 'Of several pings of a websocket that come at once, not all are answered, but always the last.',
    why: 'A client that sends pings and does not read would fill the memory. RFC 6455, 5.5.3 allows it.',
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
    example: [{ do: 'ask', query: 'EIO=4&transport=polling&j=0' }],
    isLast: true,
    matches: ({ action }) => action.do === 'ask' && action.query.includes('&j='),
  },
  {
    what: 'A response to a poll has at most 16 packets.',
    why: 'python-engineio refuses a response with more, and drops all its packets.',
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
    what: 'A client that logs in twice at once is disconnected.',
    why: 'Each of these logins takes as much memory as a client, and Socket.IO accepts them all.',
    example: [{ do: 'open' }, { do: 'send', socket: 0, frames: [{ text: '40' }, { text: '40' }] }],
    isLast: true,
    matches: ({ actions }, step) =>
      step.some(({ part, other }) => (part === 'end' && other !== '') || hasClosed(other)) &&
      actions.some((action) => packetsOf(action).filter((one) => /^40(?!\/other)/.test(one)).length > 1),
  },
  {
    what: 'A polling session that the server is closing reads no further packets.',
    why: 'Socket.IO reads them, and a packet of type close ends the session a poll earlier.',
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
  ...engineDifferences,
];
