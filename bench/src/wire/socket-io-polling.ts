import { Answers } from './answers.ts';
import type { Client, ClientEvents, Wire } from './client.ts';
import { HttpConnection } from './http.ts';
import { socketIoWire } from './socket-io.ts';

/**
 * Socket.IO 5 in Engine.IO 4 over HTTP long-polling, for servers without WebSockets. Its clients only
 * subscribe.
 */
export const socketIoPollingWire: Wire = {
  ...socketIoWire,
  open: (port, events) => PollingClient.open(port, port, events),
};

/**
 * A polling client whose session is at one node, while all its other requests go to another node, as a load
 * balancer without sticky sessions may send them.
 */
export function openAtTwoNodes(sessionPort: number, port: number, events: ClientEvents): Promise<Client> {
  return PollingClient.open(sessionPort, port, events);
}

const path = '/socket.io/?EIO=4&transport=polling';
const separator = 0x1e;

class PollingClient implements Client {
  readonly #events: ClientEvents;
  readonly #handshake: HttpConnection;
  readonly #polls: HttpConnection;
  readonly #posts: HttpConnection;
  readonly #answers: Answers;
  /** Packets to post after the current post is answered. */
  readonly #waiting: string[] = [];
  #isPosting = false;
  #isClosed = false;
  #sessionPath = path;

  static async open(sessionPort: number, port: number, events: ClientEvents): Promise<Client> {
    const client = new PollingClient(sessionPort, port, events);
    await client.#answers.next(1);
    return client;
  }

  private constructor(sessionPort: number, port: number, events: ClientEvents) {
    this.#events = events;
    this.#answers = new Answers(events.onFailure);
    const onFailure = (reason: string): void => this.#answers.fail(reason);
    const pollsOf = (at: number): HttpConnection =>
      new HttpConnection(at, {
        onResponse: (status, bytes, start, end) => this.#takePoll(status, bytes, start, end),
        onFailure,
      });
    this.#polls = pollsOf(port);
    this.#handshake = sessionPort === port ? this.#polls : pollsOf(sessionPort);
    this.#posts = new HttpConnection(port, { onResponse: (status) => this.#takePosted(status), onFailure });
    this.#handshake.get(path);
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    for (const [id, topic] of topics.entries()) this.#post(`42${id}["subscribe",{"topic":"${topic}"}]`);
    await this.#answers.next(topics.length);
  }

  publish(): void {
    this.#answers.fail('a polling client subscribes only');
  }

  close(): void {
    this.#isClosed = true;
    this.#handshake.close();
    this.#polls.close();
    this.#posts.close();
  }

  #takePoll(status: number, bytes: Buffer, bodyStart: number, bodyEnd: number): void {
    if (status !== 200) return this.#answers.fail(`the server answered a poll with ${status}`);
    let start = bodyStart;
    while (start < bodyEnd) {
      const next = bytes.indexOf(separator, start);
      const end = next === -1 || next > bodyEnd ? bodyEnd : next;
      this.#takePacket(bytes, start, end);
      start = end + 1;
    }
    if (!this.#isClosed) this.#polls.get(this.#sessionPath);
  }

  #takePacket(bytes: Buffer, start: number, end: number): void {
    const type = bytes.toString('latin1', start, Math.min(start + 2, end));
    if (type === '42') this.#events.onDelivery(bytes, start, end);
    else if (type === '43' || type === '40') this.#answers.take();
    else if (type === '2') this.#post('3');
    else if (type.startsWith('0')) this.#begin(bytes.toString('utf8', start, end));
    else if (type !== '6') this.#answers.fail(`the server sent ${bytes.toString('utf8', start, end)}`);
  }

  #begin(openPacket: string): void {
    const session = /"sid":"([^"]+)"/.exec(openPacket)?.[1];
    if (session === undefined) return this.#answers.fail(`the server opened with ${openPacket}`);
    this.#sessionPath = `${path}&sid=${session}`;
    this.#post('40');
  }

  #post(packet: string): void {
    this.#waiting.push(packet);
    if (!this.#isPosting) this.#postNext();
  }

  #postNext(): void {
    const packet = this.#waiting.shift();
    this.#isPosting = packet !== undefined;
    if (packet !== undefined) this.#posts.post(this.#sessionPath, 'text/plain;charset=UTF-8', packet);
  }

  #takePosted(status: number): void {
    if (status !== 200) return this.#answers.fail(`the server answered a packet with ${status}`);
    this.#postNext();
  }
}
