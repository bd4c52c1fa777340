import type { Server } from 'socket.io';

/** The parts of an Engine.IO connection that this file uses. */
interface EngineConnection {
  readonly transport: { readonly name: string };
  once(event: 'upgrade', listener: (this: EngineConnection) => void): void;
  once(event: 'heartbeat' | 'close', listener: () => void): void;
  off(event: 'close', listener: () => void): void;
  close(discard: boolean): void;
}

/**
 * Ends clients that were upgraded while a ping was unanswered, and have not been heard of since. Engine.IO forgets such a ping, and
 * sends no other before it has the answer: a session whose client has vanished would last for ever.
 */
export function endSilentUpgrades(io: Server): void {
  // One listener for all: one for each would cost every idle connection some hundred bytes.
  function onUpgrade(this: EngineConnection): void {
    const { pingInterval = 0, pingTimeout = 0 } = io.engine.opts;
    const timer = setTimeout(() => this.close(true), pingInterval + pingTimeout).unref();
    const onClose = (): void => clearTimeout(timer);
    this.once('close', onClose);
    this.once('heartbeat', () => {
      clearTimeout(timer);
      this.off('close', onClose);
    });
  }
  io.engine.on('connection', (connection: EngineConnection) => {
    if (connection.transport.name === 'polling') connection.once('upgrade', onUpgrade);
  });
}
