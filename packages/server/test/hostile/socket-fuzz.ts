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
  /** Undefined when a client that does nothing wrong is still served, else what is wrong. */
  readonly complaint: () => Promise<string | undefined>;
}

/** How many connections there are at a time. */
const atOnce = 8;

const heldMsMax = 50;
const heapGrowthBytesMax = 8 * 2 ** 20;

/** One client that means harm. */
interface Attack {
  readonly inputs: number;
  input(): unknown;
  run(): Promise<void>;
}

/**
 * Sends inputs to a server over real connections, and looks for what none may do: end the process, have it log a failure, hold
 * its event loop, leave something behind on its heap, or keep a client that does nothing wrong from being served.
 */
export async function fuzzOverSockets(server: ProbedServer, options: SocketFuzzOptions): Promise<Fuzzed> {
  let heapBefore: number | undefined;
  let fed = 0;
  const faults: string[] = [];
  // What it took to start, and to compile, is not what is looked for.
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

/** Which of the attacks holds the event loop, alone and each of three times: a collection of garbage is no input's fault. */
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

/** Sends a conversation to a real server; resolves when the server has ended it, or has had its time to answer. */
async function sendTo(url: string, pieces: Conversation): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  // Longer than the server gives a connection that sends half of something.
  const closed = nextEvent(socket, 'close', 'the connection of a conversation is closed', 60_000);
  await Promise.race([closed, nextEvent(socket, 'connect', 'the connection is accepted or refused')]);
  for (const piece of pieces) await written(socket, piece, closed);
  socket.resume().end();
  // A server that was sent half of something waits for the rest of it; by now it has read what there is.
  await Promise.race([closed, textOf(url)]);
  socket.destroy();
  await closed;
}

async function written(socket: Socket, piece: Buffer, closed: Promise<unknown>): Promise<void> {
  if (socket.destroyed) return;
  const sent = new Promise<void>((resolve) => void socket.write(piece, () => resolve()));
  await within(soonMs, 'the server reads what it is sent, or closes', Promise.race([closed, sent]));
}

/** Nothing, where the server is gone: whether it is, is looked at for itself. */
async function textOf(url: string): Promise<string> {
  return fetch(url).then(
    async (response) => response.text(),
    () => '',
  );
}
