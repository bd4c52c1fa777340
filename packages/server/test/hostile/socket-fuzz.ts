import { connect, type Socket } from 'node:net';
import fc, { type Arbitrary } from 'fast-check';
import { nextEvent, soonMs, within } from '../../../../test/waits.ts';
import type { Conversation } from './inputs/http.ts';
import { conversationsOf, inputsIn, session, sidIn, type Session } from './inputs/sockets.ts';
import type { Fuzzed } from './fuzz.ts';
import type { ProbedServer } from './probed-server.ts';

export interface SocketFuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  readonly conversation: Arbitrary<Conversation>;
  /** Undefined if a well-behaved client is still served, else the problem. */
  readonly complaint: () => Promise<string | undefined>;
}

/** The number of connections at a time. */
const atOnce = 8;

const heldMsMax = 50;
const heapGrowthBytesMax = 8 * 2 ** 20;

/** One hostile client. */
interface Attack {
  readonly inputs: number;
  input(): unknown;
  run(): Promise<void>;
}

/**
 * Sends inputs to a server over real connections, and looks for effects that no input may have: the end of
 * the process, a logged failure, a blocked event loop, a memory leak, or a well-behaved client that is not
 * served.
 */
export async function fuzzOverSockets(server: ProbedServer, options: SocketFuzzOptions): Promise<Fuzzed> {
  let heapBefore: number | undefined;
  let fed = 0;
  const faults: string[] = [];
  // The costs of starting and compiling do not count.
  await server.ask();
  for (let batch = 0; fed < options.inputs && faults.length === 0; batch++) {
    const attacks = attacksOf(server.url, options, options.seed + batch);
    for (let at = 0; at < attacks.length; at += atOnce) {
      const some = attacks.slice(at, at + atOnce);
      await Promise.all(some.map(async (one) => one.run()));
      fed += some.reduce((inputs, one) => inputs + one.inputs, 0);
    }
    if (server.isGone)
      return { inputs: fed, faults: [`the server ended in batch ${batch}: ${server.output}`] };
    if (server.failures.length > 0) faults.push(`the server logged: ${server.failures[0]}`);
    const complaint = await options.complaint();
    if (complaint !== undefined) faults.push(`${complaint}, after batch ${batch}`);
    const told = await server.ask();
    if (!told || fed < options.inputs / 3) continue;
    if (told.heldMaxMs > heldMsMax) faults.push(...(await holdersOf(server, attacks)));
    heapBefore ??= told.heapBytes;
    const growth = told.heapBytes - heapBefore;
    if (growth > heapGrowthBytesMax) faults.push(`the heap grew by ${growth} bytes`);
  }
  return { inputs: fed, faults };
}

/**
 * The attack that alone blocks the event loop in each of three runs: garbage collection is not an input's
 * fault.
 */
async function holdersOf(server: ProbedServer, attacks: readonly Attack[]): Promise<string[]> {
  const faults = [];
  for (const attack of attacks) {
    let heldMs = Infinity;
    for (let run = 0; run < 3 && heldMs > heldMsMax; run++) {
      await attack.run();
      heldMs = Math.min(heldMs, (await server.ask())?.heldMaxMs ?? 0);
    }
    if (heldMs > heldMsMax) {
      const input = fc.stringify(attack.input()).slice(0, 2_000);
      faults.push(`the event loop was held for ${heldMs.toFixed(1)} ms by ${input}`);
    }
  }
  return faults;
}

function attacksOf(url: string, { conversation }: SocketFuzzOptions, seed: number): readonly Attack[] {
  const conversations = fc
    .sample(conversation, { numRuns: 96, seed })
    .map((pieces) => ({
      inputs: inputsIn(pieces),
      input: () => pieces.map((piece) => piece.toString('latin1').slice(0, 500)),
      run: async () => sendTo(url, pieces),
    }));
  const sessions = fc
    .sample(session, { numRuns: 32, seed })
    .map((one) => ({ inputs: one.steps.length, input: () => one, run: async () => play(url, one) }));
  return [...conversations, ...sessions];
}

async function play(url: string, input: Session): Promise<void> {
  const opened = await textOf(`${url}/socket.io/?EIO=4&transport=polling`);
  for (const pieces of conversationsOf(input, sidIn(opened) ?? 'none')) await sendTo(url, pieces);
}

/** Sends a conversation to a real server; resolves when the server has ended it, or the time is over. */
async function sendTo(url: string, pieces: Conversation): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  // Longer than the server gives a connection that sends half of something.
  const closed = nextEvent(socket, 'close', 'the connection of a conversation is closed', 60_000);
  await Promise.race([closed, nextEvent(socket, 'connect', 'the connection is accepted or refused')]);
  for (const piece of pieces) await written(socket, piece, closed);
  socket.resume().end();
  // After an incomplete request the server waits for the rest; by now it has read all bytes.
  await Promise.race([closed, textOf(url)]);
  socket.destroy();
  await closed;
}

async function written(socket: Socket, piece: Buffer, closed: Promise<unknown>): Promise<void> {
  if (socket.destroyed) return;
  const sent = new Promise<void>((resolve) => void socket.write(piece, () => resolve()));
  await within(soonMs, 'the server reads what it is sent, or closes', Promise.race([closed, sent]));
}

/** Ignores a server that has ended, because that is checked separately. */
async function textOf(url: string): Promise<string> {
  return fetch(url).then(
    async (response) => response.text(),
    () => '',
  );
}
