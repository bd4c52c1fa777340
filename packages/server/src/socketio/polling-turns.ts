import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'socket.io';
import { fixedLimits } from '../limits/fixed-limits.ts';

/** Engine.IO's transport of a client that polls, as far as this file uses it; it is no documented one. */
interface PollingTransport {
  readonly name: string;
  readonly readyState: string;
  /** The packets of a request. */
  onData(data: string): void;
  /** A request that brings packets. */
  onDataRequest(request: IncomingMessage, response: ServerResponse): void;
  onError(reason: string): void;
}

/** Between the packets of a request. */
const separator = '\u001E';

/** The type of the packet that ends the session, with which it begins. */
const close = '1';

const { value: packetsPerTurnMax } = fixedLimits.packetsPerTurnMax;

/** What of a request is still to be taken, and how it is answered then. */
interface Rest {
  readonly data: string;
  answer: (() => void) | undefined;
}

/**
 * Has requests with many packets take turns with all others: Engine.IO takes all of a request at once, which may be a hundred
 * thousand. A request is answered when all of it was taken, so that no more come until then.
 */
export function takePollingTurns(io: Server): void {
  const rests = new WeakMap<PollingTransport, Rest>();

  // Both are the same for all: new ones for each would cost every idle connection some hundred bytes.
  function onData(this: PollingTransport, data: string): void {
    const end = endOfTurn(data);
    inheritedFrom(this).onData.call(this, data.slice(0, end));
    if (end === undefined) return;
    rests.set(this, { data: data.slice(end + 1), answer: undefined });
    setImmediate(goOn, this);
  }

  function goOn(transport: PollingTransport): void {
    const rest = rests.get(transport);
    if (!rest) return;
    rests.delete(transport);
    if (transport.readyState === 'open') onData.call(transport, rest.data);
    const more = rests.get(transport);
    if (more) more.answer = rest.answer;
    else rest.answer?.();
  }

  function onDataRequest(this: PollingTransport, request: IncomingMessage, response: ServerResponse): void {
    if (rests.has(this)) {
      response.writeHead(400).end();
      return this.onError('data request overlap from client');
    }
    const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
    response.end = ((...args: unknown[]) => {
      const rest = rests.get(this);
      if (!rest) return end(...args);
      rest.answer = () => void end(...args);
      return response;
    }) as ServerResponse['end'];
    inheritedFrom(this).onDataRequest.call(this, request, response);
  }

  io.engine.on('connection', ({ transport }: { readonly transport: PollingTransport }) => {
    if (transport.name === 'polling') Object.assign(transport, { onData, onDataRequest });
  });
}

/** Whether a session would be one for browsers of before 2012. What it sends cannot be divided as it comes. */
export function isJsonp(request: IncomingMessage & { readonly _query?: { readonly j?: unknown } }): boolean {
  return request._query?.j !== undefined;
}

function inheritedFrom(transport: PollingTransport): PollingTransport {
  return Object.getPrototypeOf(transport) as PollingTransport;
}

/**
 * Where the packets of one turn end; undefined when that is all. One that ends the session is not in the same turn as those
 * before it, which Socket.IO gives to nobody when the session has ended by the end of the turn.
 */
function endOfTurn(data: string): number | undefined {
  let end = -1;
  for (let packet = 0; packet < packetsPerTurnMax; packet++) {
    end = data.indexOf(separator, end + 1);
    if (end < 0) return undefined;
    if (data[end + 1] === close) return end;
  }
  return end;
}
