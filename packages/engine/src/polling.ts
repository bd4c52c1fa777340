import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Flushable } from '@fanfare/fanout/outbox';
import { Arrival } from './arrival-budget.ts';
import { joinPackets, PayloadReader, payloadPacketsMax } from './packet.ts';
import type { OutgoingPacket, PollingOwner, Transport, TransportParts } from './transport.ts';

const noop = '6';
const close = '1';

/** Packets over HTTP: a client gets packets as the response to a poll (GET), and sends them in a POST. */
export class PollingTransport implements Transport, Flushable {
  readonly name = 'polling';
  readonly #parts: TransportParts;
  readonly #owner: PollingOwner;
  #packets: OutgoingPacket[] = [];
  #bytes = 0;
  /** The response to the poll that waits. */
  #poll: ServerResponse | undefined;
  /** The POST that was not answered. */
  #post: IncomingMessage | undefined;
  #answeredPolls = 0;
  #isScheduled = false;
  /** Whether polls are answered at once, because the client upgrades. */
  #isReleasing = false;
  #isClosing = false;
  #isClosed = false;

  constructor(parts: TransportParts, owner: PollingOwner) {
    this.#parts = parts;
    this.#owner = owner;
  }

  get waitingBytes(): number {
    return this.#bytes;
  }

  get ownBytes(): number {
    return this.#bytes;
  }

  get dueBytes(): number {
    return this.#poll ? this.#bytes : 0;
  }

  get isSlow(): boolean {
    return this.#packets.length > 0 && !this.#poll;
  }

  get progress(): number {
    return this.#answeredPolls;
  }

  send(packet: OutgoingPacket): void {
    if (this.#isClosing || this.#isClosed) return;
    this.#packets.push(packet);
    this.#bytes += packet.bytes;
    this.#scheduleFlush();
  }

  offer(packets: readonly OutgoingPacket[]): boolean {
    if (!this.#owner.mayWait(bytesOf(packets))) return false;
    for (const packet of packets) this.send(packet);
    return true;
  }

  flush(): number {
    this.#isScheduled = false;
    if (!this.#poll) return 0;
    const packets = this.#packets.slice(0, payloadPacketsMax);
    const texts = packets.map(({ text }) => text);
    // A client takes the packet of type close before messages of the same payload, so it has its own payload.
    const isLast = this.#isClosing && packets.length === 0;
    if (isLast) texts.push(close);
    if (texts.length === 0 && this.#isReleasing) texts.push(noop);
    if (texts.length === 0) return 0;
    this.#packets = this.#packets.slice(packets.length);
    const bytes = bytesOf(packets);
    this.#bytes -= bytes;
    this.#answer(texts);
    this.#count(packets);
    if (isLast) this.#end();
    else this.#owner.changed(this);
    if (this.#packets.length < this.#parts.options.unreadPacketsMax) this.#owner.read(this);
    return bytes;
  }

  /** A request of the session. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'GET') this.#takePoll(response);
    else if (request.method === 'POST') this.#takePost(request, response);
    else response.writeHead(405, { allow: 'GET, POST' }).end();
  }

  // A request body is held back by not answering it: a client sends the next one only after that.
  pause(): void {}
  resume(): void {}

  /** @param isReleasing - whether from now on a poll does not wait */
  release(isReleasing: boolean): void {
    this.#isReleasing = isReleasing;
    this.#scheduleFlush();
  }

  /** The session continues over another transport, which gets what no poll has taken. */
  moveTo(other: Transport): void {
    for (const packet of this.#packets) other.send(packet);
    this.#count(this.#packets);
    this.#packets = [];
    this.#bytes = 0;
    this.#isClosed = true;
    this.#forgetDeadlines();
    this.#answer([noop]);
  }

  close(reason?: string): void {
    if (this.#isClosing || this.#isClosed) return;
    this.#isClosing = true;
    const { closingPolling, closingSoon } = this.#parts;
    (reason === undefined ? closingPolling : closingSoon).add(this);
    this.#scheduleFlush();
  }

  terminate(): void {
    this.#answer([close]);
    this.#end();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#packets = [];
    this.#bytes = 0;
    this.#forgetDeadlines();
    if (this.#post && !this.#post.readableEnded) this.#post.destroy();
    this.#owner.lost('transport close', this);
  }

  #forgetDeadlines(): void {
    this.#parts.closingPolling.delete(this);
    this.#parts.closingSoon.delete(this);
  }

  #count(packets: readonly OutgoingPacket[]): void {
    const deliveries = packets.filter(({ isDelivery }) => isDelivery).length;
    if (deliveries > 0) this.#parts.onPolled(deliveries);
  }

  #takePoll(response: ServerResponse): void {
    if (this.#poll) {
      response.writeHead(400).end();
      return this.#owner.fail('overlapping polls');
    }
    this.#poll = response;
    response.once('close', () => {
      if (this.#poll !== response) return;
      this.#poll = undefined;
      this.#end();
    });
    this.#scheduleFlush();
    this.#owner.changed(this);
  }

  #answer(texts: readonly string[]): void {
    const response = this.#poll;
    this.#poll = undefined;
    this.#answeredPolls++;
    if (response) respond(response, 'text/plain; charset=UTF-8', joinPackets(texts));
  }

  #scheduleFlush(): void {
    if (this.#isScheduled) return this.#parts.schedule.extend();
    if (!this.#poll) return;
    this.#isScheduled = true;
    this.#parts.schedule.add(this);
  }

  #takePost(request: IncomingMessage, response: ServerResponse): void {
    if (this.#post || request.headers['content-type'] === 'application/octet-stream') {
      response.writeHead(400).end();
      return this.#owner.fail(this.#post ? 'overlapping requests' : 'binary request');
    }
    this.#post = request;
    const arrival = new Arrival(this.#parts.arrivals);
    const finish = (): void => {
      this.#post = undefined;
      arrival.end();
    };
    const refuse = (): void => {
      finish();
      // The rest of the body is dropped.
      request.resume();
      response.writeHead(413).end();
    };
    const chunks: Buffer[] = [];
    const bytesMax = this.#owner.bodyBytesMax;
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) return refuse();
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > bytesMax) {
        request.off('data', onData).off('end', onEnd).off('close', onClose);
        refuse();
      } else if (!arrival.add(chunk.length) || !this.#owner.allow(chunk.length, 0)) request.destroy();
    };
    const onEnd = (): void => {
      const reader = new PayloadReader(Buffer.concat(chunks).toString());
      this.#owner.receivePayload(reader, () => {
        finish();
        respond(response, 'text/html', 'ok');
      });
    };
    const onClose = (): void => {
      if (request.readableEnded) return;
      finish();
      this.#end();
    };
    request.on('data', onData).once('end', onEnd).once('close', onClose);
  }
}

function bytesOf(packets: readonly OutgoingPacket[]): number {
  return packets.reduce((sum, { bytes }) => sum + bytes, 0);
}

function respond(response: ServerResponse, type: string, body: string): void {
  response.setHeader('content-type', type).setHeader('content-length', Buffer.byteLength(body));
  response.setHeader('cache-control', 'no-store').end(body);
}
