import { connect } from '@fanfare/client';
import { io, type ManagerOptions } from 'socket.io-client';

/** The topic of all subscribers. */
export const topic = 'numbers';

/** How a subscriber connects. */
export type Transport = 'usual' | 'polling' | 'upgrade';

/** A client program that subscribes to every message. It calls back with each, and never stops. */
export type Subscriber = (url: string, transport: Transport, onMessage: (message: unknown) => void) => void;

/** The options of a stock client for a transport. */
const transportOptions: Readonly<Record<Transport, Partial<ManagerOptions>>> = {
  usual: { transports: ['websocket'] },
  polling: { transports: ['polling'] },
  upgrade: {},
};

export type SubscriberKind = 'sdk' | 'rule' | 'stock';

export const subscribers: Readonly<Record<SubscriberKind, Subscriber>> = {
  sdk: (url, _transport, onMessage) => {
    connect(url).subscribe(topic, ({ message }) => onMessage(message));
  },

  /** The resume rule of PROTOCOL 3.10, as in examples/node/resuming-subscriber.js. */
  rule: (url, transport, onMessage) => {
    const socket = io(url, { ...transportOptions[transport], forceNew: true });
    let from = 'new';
    socket.on('connect', () => {
      socket.emit('subscribe', { topic, envelope: true, from }, ({ offset }: { offset: string }) => {
        from = offset;
      });
    });
    socket.on('message', ({ message, offset }: { message: unknown; offset: string }) => {
      onMessage(message);
      from = offset;
    });
    socket.on('state', ({ offset }: { offset: string }) => {
      from = offset;
    });
    socket.on('disconnect', () => {
      if (!socket.active) socket.connect();
    });
  },

  /** The usual code with Socket.IO alone. */
  stock: (url, transport, onMessage) => {
    const socket = io(url, { ...transportOptions[transport], forceNew: true });
    socket.on('connect', () => {
      // A connection that Socket.IO recovers is in its rooms already.
      if (!socket.recovered) socket.emit('subscribe', { topic }, () => {});
    });
    socket.on(topic, ({ message }: { message: unknown }) => onMessage(message));
    socket.on('disconnect', () => {
      if (!socket.active) socket.connect();
    });
  },
};
