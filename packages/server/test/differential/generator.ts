import fc, { type Arbitrary } from 'fast-check';
import { engineIoPacket } from '../hostile/inputs/packets.ts';
import { wrongFrames, type Action, type Frame, type Sequence, type WrongFrame } from './actions.ts';
import { limits } from './app.ts';
import { actionsMax } from './player.ts';

const polling = 'EIO=4&transport=polling';

// Sequences after which a session has got somewhere. Without them, most actions would meet no session.
const polled: Sequence = [{ do: 'ask', query: polling }];
const logInPolling: Sequence = [
  { do: 'post', session: 0, packets: ['40'] },
  { do: 'poll', session: 0 },
];
const polledIn: Sequence = [...polled, ...logInPolling];
const opened: Sequence = [{ do: 'open' }];
const logIn: Sequence = [{ do: 'send', socket: 0, frames: [{ text: '40' }] }];
const openedIn: Sequence = [...opened, ...logIn];
// The app refuses this client.
const refused: Sequence = [
  ...polled,
  { do: 'post', session: 0, packets: ['40{"token":"bad"}'] },
  { do: 'poll', session: 0 },
];
const refusedWebSocket: Sequence = [
  ...opened,
  { do: 'send', socket: 0, frames: [{ text: '40{"token":"bad"}' }] },
];
const closed: Sequence = [
  { do: 'post', session: 0, packets: ['1'] },
  { do: 'poll', session: 0 },
];
// Only the server may ping.
const pinged: Sequence = [
  { do: 'post', session: 0, packets: ['2'] },
  { do: 'poll', session: 0 },
];
const pinging: Sequence = [{ do: 'send', socket: 0, frames: [{ text: '2' }] }];
const pending: Sequence = [...polledIn, { do: 'poll', session: 0 }];
const probed: Sequence = [
  { do: 'open', session: 0 },
  { do: 'send', socket: 0, frames: [{ text: '2probe' }] },
];
const upgraded: Sequence = [...probed, { do: 'send', socket: 0, frames: [{ text: '5' }] }];

/** An event. `leave` and `end` let the app end the session. */
const event: Arbitrary<string> = fc
  .tuple(
    fc.constantFrom('', '0', '7', '12', '999999'),
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom('a', 'b', '', 'quiet') },
      { weight: 4, arbitrary: fc.constant('many') },
      { weight: 1, arbitrary: fc.constantFrom('leave', 'end') },
    ),
    fc.constantFrom(
      '',
      ',1',
      ',{"b":"é"}',
      ',null,[2]',
      ',"\\u2028"',
      ',{"__proto__":1}',
      ',1e400',
      ',{"_placeholder":true,"num":0}',
    ),
  )
  .map(([id, name, args]) => `42${id}["${name}"${args}]`);

/** Packets that leave a session that is logged in as it is. */
const harmless: Arbitrary<readonly string[]> = fc.oneof(
  { weight: 16, arbitrary: event.map((packet) => [packet]) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ['3'],
      ['3'],
      ['40/other,'],
      ['40/other,{"a":1}'],
      ['430[]'],
      ['43999[1]'],
      ['6'],
      ['451-["a",{"_placeholder":true,"num":0}]', 'bAQID'],
      ['451-7["a",{"_placeholder":true,"num":0}]', 'bAQID'],
      ['452-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]', 'bAQID', 'bBA=='],
    ),
  },
);

const wrongPackets = [
  ...'4 42 47 9 abc 42[ 42{} 42[] 42[null] 42[7] 42["connect"] 42["disconnect"] 40[] 40"a" 40{ 427'.split(
    ' ',
  ),
  ...'42-1["a"] 42,["a"] 421e3["a"] 44{"message":"x"} 42/other,["a"] 430{} 41/other'.split(' '),
];

const incompleteBinary = [
  ...'451-["a",{"_placeholder":true,"num":0}] 451-["a",{"_placeholder":true,"num":7}]'.split(' '),
  ...'450-["a"] 45["a"] 461-0[{"_placeholder":true,"num":0}] 4511-["a"] bAQID b b?'.split(' '),
];

/** Packets that mostly end a session. */
const harmful: Arbitrary<readonly string[]> = fc
  .oneof(
    {
      weight: 2,
      arbitrary: fc.constantFrom('40', '40{"token":"good"}', '40{"token":"bad"}', '40/,', '41', '41/other,'),
    },
    { weight: 2, arbitrary: fc.constantFrom('2', '1', '5', '2probe', '3probe', '0', '0{}') },
    { weight: 3, arbitrary: fc.constantFrom('', ...wrongPackets) },
    { weight: 2, arbitrary: fc.constantFrom(...incompleteBinary) },
    { weight: 2, arbitrary: engineIoPacket.filter((text) => text.length < 200 && text.isWellFormed()) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(1_000, 90_000, limits.packetBytesMax + 1)
        .map((bytes) => `42["quiet","${'x'.repeat(bytes)}"]`),
    },
  )
  .map((packet) => [packet]);

const wrongFrame: Arbitrary<readonly Frame[]> = fc
  .oneof(
    fc.constantFrom<Frame>({ binary: '0102' }, { binary: '' }, { binary: '04' }),
    fc.constantFrom<Frame>(
      { close: undefined },
      { close: 1000 },
      { close: 1001, reason: 'away' },
      { close: 3000 },
      { close: 4999, reason: 'é' },
    ),
    fc.constantFrom(...(Object.keys(wrongFrames) as WrongFrame[])).map((wrong): Frame => ({ wrong })),
  )
  .map((frame) => [frame]);

const pings: Arbitrary<readonly Frame[]> = fc.constantFrom<Frame[]>(
  [{ ping: '' }],
  [{ ping: 'x' }],
  [{ pong: '' }],
);

/** The same packet over a websocket, where binary data has a frame of its own. */
function frameOf(packet: string): Frame {
  return /^b[\w+/]+=*$/.test(packet)
    ? { binary: Buffer.from(packet.slice(1), 'base64').toString('hex') }
    : { text: packet };
}

const index = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constantFrom(1, 2) },
);

const queries = [
  ...Array<string>(3).fill(polling),
  '',
  ...'b64=1 t=%ff j=0 sid=nobody sid=__proto__ sid= transport=websocket'
    .split(' ')
    .map((field) => `${polling}&${field}`),
  ...'EIO=3 EIO=5 EIO=4&EIO=3'.split(' ').map((version) => `${version}&transport=polling`),
  ...'websocket webtransport __proto__ constructor'.split(' ').map((name) => `EIO=4&transport=${name}`),
  ...'transport=polling EIO=4 EIO=4&transport='.split(' '),
];
const query = fc.constantFrom(...queries);

const webSocketQueries = [
  ...'EIO=4 EIO=3 EIO=5'.split(' ').map((version) => `${version}&transport=websocket`),
  ...'sid=nobody sid=constructor'.split(' ').map((sid) => `EIO=4&transport=websocket&${sid}`),
  ...'transport=websocket EIO=4&transport=polling EIO=4&transport=__proto__ EIO=4'.split(' '),
];
const webSocketQuery = fc.constantFrom(...webSocketQueries);

const waiting: Arbitrary<Sequence> = one({ do: fc.constant('wait' as const) });

// Actions after which a session mostly stays as it is: of a client that polls, and of one with a websocket.
const calmPolling: Arbitrary<Sequence> = fc.oneof(
  { weight: 10, arbitrary: posts(harmless) },
  { weight: 10, arbitrary: one({ do: fc.constant('poll' as const), session: index }) },
  { weight: 1, arbitrary: waiting },
  {
    weight: 1,
    arbitrary: fc.constant<Sequence>([
      { do: 'post', session: 0, packets: ['41'] },
      { do: 'post', session: 0, packets: ['40'] },
    ]),
  },
);
const calmWebSocket: Arbitrary<Sequence> = fc.oneof(
  { weight: 10, arbitrary: sends(framesOf(harmless)) },
  { weight: 1, arbitrary: sends(pings) },
  { weight: 1, arbitrary: waiting },
  {
    weight: 1,
    arbitrary: fc.constant<Sequence>([{ do: 'send', socket: 0, frames: [{ text: '41' }] }, ...logIn]),
  },
);

/** Actions that do not belong to the protocol, or end something. */
const wild: Arbitrary<Sequence> = fc.oneof(
  { weight: 8, arbitrary: posts(fc.oneof(harmless, harmful)) },
  { weight: 8, arbitrary: sends(fc.oneof(framesOf(harmless), framesOf(harmful), wrongFrame)) },
  {
    weight: 2,
    arbitrary: one({ do: fc.constant('poll' as const), session: index, isExtra: fc.constant(true) }),
  },
  { weight: 2, arbitrary: one({ do: fc.constant('open' as const), session: index }) },
  { weight: 2, arbitrary: one({ do: fc.constant('open' as const), query: webSocketQuery }) },
  {
    weight: 1,
    arbitrary: one({
      do: fc.constant('ask' as const),
      query,
      method: fc.constantFrom('POST', 'PUT', 'DELETE', 'OPTIONS'),
      headers: fc.constantFrom(
        {},
        { origin: 'https://example.com' },
        { 'content-type': 'application/octet-stream' },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: one({
      do: fc.constant('post' as const),
      session: index,
      packets: fc.constantFrom(['40'], ['42["a"]'], ['3']),
      type: fc.constantFrom('application/octet-stream', 'application/json', 'text/plain'),
    }),
  },
  {
    weight: 1,
    arbitrary: one({
      do: fc.constant('post' as const),
      session: index,
      packets: fc.constantFrom(['42["a"]'], ['1']),
      isHeld: fc.constant(true),
    }),
  },
  { weight: 1, arbitrary: one({ do: fc.constant('finish' as const), connection: index }) },
  { weight: 2, arbitrary: one({ do: fc.constant('leave' as const), connection: index }) },
);

function one<A extends Action>(fields: { [Name in keyof A]: Arbitrary<A[Name]> }): Arbitrary<Sequence> {
  return fc.record(fields).map((action) => [action as A]);
}

function posts(packets: Arbitrary<readonly string[]>): Arbitrary<Sequence> {
  const several = fc.array(packets, { minLength: 1, maxLength: 4 }).map((all) => all.flat());
  return one({ do: fc.constant('post' as const), session: index, packets: several });
}

function sends(frames: Arbitrary<readonly Frame[]>): Arbitrary<Sequence> {
  const several = fc.array(frames, { minLength: 1, maxLength: 3 }).map((all) => all.flat());
  return one({ do: fc.constant('send' as const), socket: index, frames: several });
}

function framesOf(packets: Arbitrary<readonly string[]>): Arbitrary<readonly Frame[]> {
  return packets.map((all) => all.map(frameOf));
}

/** A wait takes as long to play as ten other actions. */
const waitsMax = 3;

/** Sequences of one kind of client, after one of these beginnings. One action of six is wild. */
function sequenceOf(openings: readonly Sequence[], calm: Arbitrary<Sequence>): Arbitrary<Sequence> {
  const actions = fc.oneof({ weight: 5, arbitrary: calm }, { weight: 1, arbitrary: wild });
  return fc
    .tuple(fc.constantFrom(...openings), fc.array(actions, { maxLength: 12, size: 'max' }))
    .map(([first, rest]) => first.concat(rest.flat()));
}

const anywhere: Arbitrary<Sequence> = fc.oneof(
  { weight: 2, arbitrary: calmPolling },
  { weight: 2, arbitrary: calmWebSocket },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      upgraded,
      probed,
      polledIn,
      openedIn,
      refused,
      refusedWebSocket,
      closed,
      pinged,
      pinging,
    ),
  },
  { weight: 1, arbitrary: one({ do: fc.constant('ask' as const), query }) },
  { weight: 2, arbitrary: wild },
);

/** Sequences of a client's actions. */
export const sequence: Arbitrary<Sequence> = fc
  .oneof(
    sequenceOf([polledIn, pending, [...pending, ...probed], [...refused, ...logInPolling]], calmPolling),
    sequenceOf([openedIn, [...polledIn, ...upgraded], [...pending, ...upgraded]], calmWebSocket),
    sequenceOf([[], polled, opened, openedIn, polledIn, [...polled, ...upgraded]], anywhere),
  )
  .filter((actions) => actions.length <= actionsMax)
  .filter((actions) => actions.filter((each) => each.do === 'wait').length <= waitsMax);
