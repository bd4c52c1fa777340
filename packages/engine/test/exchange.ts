/*
 * A client without any library for Socket.IO, which takes the steps of a scenario and notes what comes
 * back. It knows when nothing more comes: after each step it asks for a namespace that does not exist, and
 * waits for the answer.
 */
import { once } from 'node:events';
import { WebSocket, type RawData } from 'ws';
import { soonMs, until, within } from '../../../test/waits.ts';

const separator = '\u001E';

/** One step: packets that are sent together, or the upgrade to a WebSocket. */
export type Step = readonly string[] | 'upgrade' | 'wrong upgrade';

/** What came back after a step. `ended`: the session is over. */
export type Seen = readonly string[];

interface Wire {
  /** @returns the status of the response over polling */
  send(packets: readonly string[]): Promise<string[]>;
  /** The next packets. Undefined if the session has ended. */
  next(): Promise<readonly string[] | undefined>;
  /** Resolves when the server has taken what was sent before. */
  taken(): Promise<void>;
  end(): void;
}

/** Runs a scenario against a server. @returns what came back after each step, until the session ended */
export async function run(
  url: string,
  transport: 'polling' | 'websocket',
  steps: readonly Step[],
): Promise<Seen[]> {
  let wire: Wire = transport === 'polling' ? await openPolling(url) : await openWebSocket(url, '');
  const seen: Seen[] = [];
  try {
    for (const [at, step] of steps.entries()) {
      const sent: string[] = [];
      if (step === 'upgrade') wire = await upgrade(url, wire, sent);
      else if (step === 'wrong upgrade') await wrongUpgrade(url, wire, sent);
      else sent.push(...(await wire.send(step)));
      await wire.taken();
      const barrier = `/barrier-${at}`;
      await wire.send([`40${barrier},`]);
      const packets = await packetsUntil(wire, `44${barrier},{"message":"Invalid namespace"}`);
      seen.push([...sent, ...packets]);
      if (packets.includes('ended')) break;
    }
  } finally {
    wire.end();
  }
  return seen;
}

async function packetsUntil(wire: Wire, last: string): Promise<string[]> {
  const packets: string[] = [];
  let isOver = false;
  await until('the packet comes that ends the step', () => isOver, {
    step: async () => {
      const next = await wire.next();
      packets.push(...(next?.filter((packet) => packet !== last).map(normalise) ?? ['ended']));
      isOver = next === undefined || next.includes(last);
    },
    soFar: () => packets,
  });
  return packets;
}

/** The ids of clients are random. */
function normalise(packet: string): string {
  return packet.replace(/^40\{"sid":"[\w-]{20}"\}$/, '40 connected');
}

class Polling implements Wire {
  readonly #url: string;
  readonly sid: string;

  constructor(url: string, sid: string) {
    this.sid = sid;
    this.#url = `${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
  }

  async send(packets: readonly string[]): Promise<string[]> {
    const response = await fetch(this.#url, { method: 'POST', body: packets.join(separator) });
    return [`${response.status} ${await response.text()}`];
  }

  async next(): Promise<readonly string[] | undefined> {
    const response = await within(soonMs, 'a poll gets a response', fetch(this.#url));
    const text = await response.text();
    return response.status === 200 ? text.split(separator) : undefined;
  }

  /** A request is answered when its packets are taken. */
  async taken(): Promise<void> {}

  end(): void {
    void this.send(['1']).catch(() => {});
  }
}

class Socket implements Wire {
  readonly #socket: WebSocket;
  readonly #packets: string[] = [];
  #wake = (): void => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data: RawData, isBinary) => {
      this.#packets.push(isBinary ? 'binary' : (data as Buffer).toString());
      this.#wake();
    });
    socket.once('close', () => this.#wake());
  }

  async opened(): Promise<this> {
    const opened = Promise.race([once(this.#socket, 'open'), once(this.#socket, 'close')]);
    await within(soonMs, 'the websocket opens or is refused', opened);
    return this;
  }

  // A packet of type binary goes as a binary frame.
  async send(packets: readonly string[]): Promise<string[]> {
    // A session that has ended meanwhile refuses the WebSocket.
    if (this.#socket.readyState !== WebSocket.OPEN) return [];
    for (const packet of packets)
      this.#socket.send(packet.startsWith('b') ? Buffer.from(packet.slice(1), 'base64') : packet);
    return [];
  }

  async next(): Promise<readonly string[] | undefined> {
    const isOver = (): boolean => this.#socket.readyState === WebSocket.CLOSED;
    await until('the websocket brings a packet or closes', () => this.#packets.length > 0 || isOver(), {
      step: () => new Promise<void>((resolve) => (this.#wake = resolve)),
    });
    return this.#packets.length > 0 ? this.#packets.splice(0) : undefined;
  }

  async taken(): Promise<void> {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const taken = Promise.race([once(this.#socket, 'pong'), once(this.#socket, 'close')]);
    this.#socket.ping();
    await within(soonMs, 'a ping is answered', taken);
  }

  end(): void {
    this.#socket.terminate();
  }
}

async function openPolling(url: string): Promise<Polling> {
  const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
  const { sid } = JSON.parse((await response.text()).slice(1)) as { readonly sid: string };
  return new Polling(url, sid);
}

async function openWebSocket(url: string, sid: string): Promise<Socket> {
  const target = `${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket${sid && `&sid=${sid}`}`;
  const socket = await new Socket(new WebSocket(target)).opened();
  if (sid === '') await socket.next();
  return socket;
}

/** Upgrades a session that polls. Over a WebSocket, nothing happens. */
async function upgrade(url: string, wire: Wire, seen: string[]): Promise<Wire> {
  if (!(wire instanceof Polling)) return wire;
  const poll = wire.next();
  const socket = await openWebSocket(url, wire.sid);
  await socket.send(['2probe']);
  seen.push(...((await socket.next()) ?? ['ended']));
  // What waited is in the response to the poll. Only without anything it is a noop.
  seen.push(...((await poll) ?? ['ended']).map(normalise));
  await socket.send(['5']);
  return socket;
}

/** A WebSocket that sends something else than a probe is closed, and the session continues. */
async function wrongUpgrade(url: string, wire: Wire, seen: string[]): Promise<void> {
  if (!(wire instanceof Polling)) return;
  const socket = await openWebSocket(url, wire.sid);
  await socket.send(['40']);
  seen.push(...((await socket.next()) ?? ['refused']));
}
