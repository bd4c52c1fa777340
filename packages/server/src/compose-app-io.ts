import type { Server } from 'socket.io';
import { listenToClients } from './app-io/events.ts';
import { RoomFanOut } from './app-io/room-fan-out.ts';
import type { ClientEnd, ClientEndParts } from './client-end.ts';

/** Makes the client end on an app's own Socket.IO server, which is left as it is. */
export function openAppIo(theirs: Server, parts: ClientEndParts): ClientEnd {
  let leave = (): void => {};
  return {
    fanOut: new RoomFanOut(theirs, parts.requestLogger),
    get sessions() {
      return theirs.engine.clientsCount;
    },
    serve: () => {
      leave = listenToClients(theirs, parts);
      return () => {};
    },
    drain: async () => leave(),
    close: () => {},
    reconfigure: () => {},
  };
}
