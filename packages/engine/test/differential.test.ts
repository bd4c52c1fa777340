/*
 * Generated scenarios, malformed packets among them, against stock Socket.IO and the engine. Both serve the
 * same app, get the same bytes, and must answer the same.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoginRefusal } from '../src/index.ts';
import { run, type Seen, type Step } from './exchange.ts';
import { echoApp, startEngine } from './harness.ts';
import { startStock } from './stock-server.ts';

/** @param ignored - an event that this app ignores, which stock Socket.IO's app does not */
async function startOurs(ignored?: string): Promise<string> {
  const echo = echoApp();
  const app = echoApp({
    // As with stock Socket.IO, a login takes longer than the packets that come with it.
    login: async ({ auth }) => ('refuse' in auth ? new LoginRefusal('refused', auth['refuse']) : { auth }),
    event: (client, event) => {
      if (ignored !== undefined && event.json === ignored) return;
      if (!event.hasAttachments) echo.event(client, event);
      else if (event.id !== undefined) client.acknowledge(event.id, '"binary"');
    },
  });
  const { url } = await startEngine(app, { loginPacketsMax: 1_000_000, loginBytesMax: 1_000_000 });
  return url;
}

// prettier-ignore
const packets = [
  '40', '40{"token":"x"}', '40{"refuse":[1]}', '40{}', '40/x,', '40/x', '40/x,{"a":1}', '40/,',
  '40[]', '40"a"', '407[]', '40{', '40null7', '407{}', '40/x,[]',
  '42["echo",1,"é"]', '420["echo",{"a":[]}]', '4212["emit",[1]]', '42["emit"]', '42["emit",1,2]',
  '42', '427', '42[1,2]', '428[1,2]', '42[]', '42{}', '42"a"', '42[7', '42[{}]', '42[null]',
  '42["connect"]', '42["disconnect"]', '42["newListener"]', '42/x,["a"]', '420["echo","\\u001e"]',
  '41', '41{}', '41/x,', '43', '430[]', '430{}', '43999[1]', '44', '44{}', '44{"message":"x"}',
  '45', '45-0["a"]', '451-', '451-0["a",{"_placeholder":true,"num":0}]', '4511-["a"]', '461-0[]',
  '451-0["a",{"_placeholder":true,"num":1}]', '452-1["a",{"_placeholder":true,"num":1}]',
  'bAQ==', 'b', '0', '1', '2', '2probe', '3', '3x', '5', '6', '7', 'x', '', '4', '47', '4z', '4-1',
  '42["leave"]', '429["leave",1]',
] as const;

/** Most scenarios log in first, because little can happen before. */
const login: Step = ['40'];
const likely: Step = ['420["echo",1]'];

/**
 * Packets that can be sent together. Stock Socket.IO takes events a tick later than everything else. So the
 * order of answers differs if other packets follow an event in the same read: there, a malformed packet
 * drops the events before it, a second login is another login, and events after a disconnect are dropped.
 * The engine takes all packets in their order.
 */
const together = [
  '42["echo"]',
  '420["echo",1]',
  '421["emit",1]',
  '42["emit","é"]',
  '42',
  '427',
  '3',
  '6',
  '0',
];

const packet = fc.constantFrom<string>(...packets);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: packet.map((one) => [one]) },
  { weight: 4, arbitrary: fc.constant(likely) },
  { weight: 2, arbitrary: fc.constant<Step>('upgrade') },
  { weight: 1, arbitrary: fc.constant<Step>('wrong upgrade') },
  { weight: 2, arbitrary: fc.array(fc.constantFrom(...together), { minLength: 2, maxLength: 30 }) },
);
const scenario = fc
  .tuple(fc.boolean(), fc.array(step, { minLength: 1, maxLength: 6 }))
  .map(([isLoggedIn, steps]) => (isLoggedIn ? afterLogin(steps) : steps));

function afterLogin(steps: readonly Step[]): readonly Step[] {
  return [login, ...steps];
}

/**
 * The differences that are meant. At its end, a session that polls gets a packet of type close alone. Stock
 * adds a noop before it, or sends a noop when the client itself has closed.
 */
function withoutMeant(seen: readonly Seen[]): readonly Seen[] {
  return seen.map((each) => each.filter((one) => one !== '1' && one !== '6'));
}

async function startBoth(): Promise<{ readonly stock: string; readonly ours: string }> {
  return { stock: await startStock(), ours: await startOurs() };
}

const runs = Number(process.env['FANFARE_FUZZ'] ?? 1) * 150;

describe.each(['polling', 'websocket'] as const)('the engine and stock Socket.IO over %s', (transport) => {
  it.each(packets)('answer the same, before and after a login: %j', async (text) => {
    const { stock, ours } = await startBoth();
    for (const steps of [[[text]], [login, [text], likely]] as Step[][])
      expect([steps, withoutMeant(await run(ours, transport, steps))]).toEqual([
        steps,
        withoutMeant(await run(stock, transport, steps)),
      ]);
  });

  it('answer the same in generated scenarios', async () => {
    const { stock, ours } = await startBoth();
    await fc.assert(
      fc.asyncProperty(scenario, async (steps) => {
        const [expected, result] = await Promise.all([
          run(stock, transport, steps),
          run(ours, transport, steps),
        ]);
        expect(withoutMeant(result)).toEqual(withoutMeant(expected));
      }),
      // A scenario is short, and each takes a while if something does not come.
      { numRuns: runs, endOnFailure: true },
    );
  });
});

it.each(['polling', 'websocket'] as const)(
  'an acknowledgement with binary data is ignored, as stock Socket.IO ignores it, over %s',
  async (transport) => {
    const { stock, ours } = await startBoth();
    const steps = [login, ['461-0[{"_placeholder":true,"num":0}]', 'bAQ=='], likely];
    expect(await run(ours, transport, steps)).toEqual(await run(stock, transport, steps));
  },
);

it('the comparison of generated scenarios detects an app that ignores one event', async () => {
  const [stock, ours] = [await startStock(), await startOurs('["echo",1]')];
  const steps = [login, likely];
  const [expected, result] = [await run(stock, 'websocket', steps), await run(ours, 'websocket', steps)];
  expect(withoutMeant(expected)).toEqual([['40 connected'], ['430[1]']]);
  expect(withoutMeant(result)).toEqual([['40 connected'], []]);
});
