import type { Server } from 'socket.io';
import type { ClientEnd, ClientEndParts } from './client-end.ts';
import { drainClients } from './socketio/drain-clients.ts';
import { listenToClients } from './socketio/events.ts';
import { PollingResponses } from './socketio/polling-responses.ts';
import { RoomFanOut } from './socketio/room-fan-out.ts';
import { tryInsides, type Insides } from './try-insides.ts';

/** Makes the client end on an app's own Socket.IO server, which is left as it is. */
export async function openAppIo(theirs: Server, parts: ClientEndParts): Promise<ClientEnd> {
  const insides = await tryInsides(parts.logger, theirs);
  const polling = pollingOf(insides, parts);
  let leave = (): void => {};
  return {
    fanOut: new RoomFanOut(theirs, polling, parts.requestLogger),
    get sessions() {
      return theirs.engine.clientsCount;
    },
    serve: () => {
      // An unknown event can be an event of the app.
      leave = listen(theirs, parts, { insides, polling, refuseUnknown: false });
      return () => {};
    },
    drain: async () => leave(),
    close: () => {},
  };
}

/** The client end on a Socket.IO server of our own. @param serve - serves clients on an HTTP server */
export function ownIoEnd(
  io: Server,
  serve: (...args: [Parameters<ClientEnd['serve']>[0], PollingResponses]) => () => void,
  insides: Insides,
  parts: ClientEndParts,
): ClientEnd {
  const polling = pollingOf(insides, parts);
  return {
    fanOut: new RoomFanOut(io, polling, parts.requestLogger),
    get sessions() {
      return io.engine.clientsCount;
    },
    serve: (httpServer) => {
      const undo = serve(httpServer, polling);
      listen(io, parts, { insides, polling, refuseUnknown: true });
      return undo;
    },
    drain: (times) => drainClients(io, insides.engine.packets, times),
    close: () => void io.engine.close(),
  };
}

function pollingOf({ engine }: Insides, { path }: ClientEndParts): PollingResponses {
  return new PollingResponses(engine, (deliveries) => path().taken(deliveries));
}

function listen(
  io: Server,
  { path, requestLogger: logger, ...parts }: ClientEndParts,
  ours: Pick<Parameters<typeof listenToClients>[1], 'insides' | 'polling' | 'refuseUnknown'>,
): () => void {
  return listenToClients(io, { ...parts, ...ours, path: path(), logger });
}
