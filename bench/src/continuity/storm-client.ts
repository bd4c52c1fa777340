import { WebSocketConnection } from '../wire/websocket.ts';
import { topic as numbers } from './subscribers.ts';

/** The wait before a reconnect, like a Socket.IO client's: about a second at first, and up to five. */
const retryMs = { first: 1_000, max: 5_000 };

/** A small subscriber that resumes by PROTOCOL 3.10. Thousands of them fit into one process. */
export class StormClient {
  /** The numbers of the messages that came. */
  readonly received: number[] = [];
  /** How often its subscription was acknowledged. */
  subscribed = 0;
  /** Whether the server reported that something may be missing. */
  isUnsure = false;
  readonly #port: number;
  readonly #onChange: () => void;
  readonly #topic: string;
  #from = 'new';
  #attempts = 0;
  #isStopped = false;
  #socket: WebSocketConnection | undefined;

  /** @param onChange - called when its subscription was acknowledged, and when it got a message */
  constructor(port: number, onChange: () => void, topic: string = numbers) {
    this.#port = port;
    this.#topic = topic;
    this.#onChange = onChange;
    this.#connect();
  }

  stop(): void {
    this.#isStopped = true;
    this.#socket?.close();
  }

  #connect(): void {
    if (this.#isStopped) return;
    let isOver = false;
    const connectAgain = (): void => {
      if (isOver) return;
      isOver = true;
      socket.close();
      const waitMs = Math.min(retryMs.max, retryMs.first * 2 ** this.#attempts++);
      setTimeout(() => this.#connect(), waitMs * (0.5 + Math.random()));
    };
    const socket = new WebSocketConnection(this.#port, '/socket.io/?EIO=4&transport=websocket', {
      onOpen: () => undefined,
      onText: (bytes, start, end) => {
        if (!isOver) this.#take(bytes.toString('utf8', start, end), socket, connectAgain);
      },
      onFailure: connectAgain,
    });
    this.#socket = socket;
  }

  #take(text: string, socket: WebSocketConnection, connectAgain: () => void): void {
    if (text.startsWith('0')) socket.sendText('40');
    else if (text === '2') socket.sendText('3');
    else if (text.startsWith('40')) {
      socket.sendText(
        `420["subscribe",${JSON.stringify({ topic: this.#topic, envelope: true, from: this.#from })}]`,
      );
    } else if (text.startsWith('43')) {
      const [{ ok, offset, recovered }] = JSON.parse(text.slice(text.indexOf('['))) as [
        { ok: boolean; offset: string; recovered?: boolean },
      ];
      // A server that stops, or that cannot reach its log, refuses the subscription.
      if (!ok) return connectAgain();
      this.#from = offset;
      this.#attempts = 0;
      this.isUnsure ||= recovered === false;
      this.subscribed++;
      this.#onChange();
    } else if (text.startsWith('41') || text.startsWith('44')) connectAgain();
    else if (text.startsWith('42')) {
      const [event, { message, offset }] = JSON.parse(text.slice(2)) as [
        string,
        { message?: number; offset?: string },
      ];
      if (event === 'gap') this.isUnsure = true;
      if (offset !== undefined) this.#from = offset;
      if (message === undefined) return;
      this.received.push(message);
      this.#onChange();
    }
  }
}
