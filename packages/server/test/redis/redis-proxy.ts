import { createServer } from 'node:net';
import { startListening } from '../../../../test/waits.ts';
import type { Direction } from './flow.ts';
import { RespParser, type RespValue } from './resp.ts';
import { TcpProxy, type Fault, type ProxiedConnection, type Verdict } from './tcp-proxy.ts';

/** The first words of a command: `['FCALL', 'append', '1']`. */
export type CommandHead = readonly string[];

/** How much of a command a test sees. */
const headWords = 3;

const subscribing = new Set(['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE']);

interface Conversation {
  readonly toServer: RespParser;
  readonly toClient: RespParser;
  /** The commands that have no reply yet, oldest first. */
  readonly unanswered: CommandHead[];
}

/** The loss of a reply, until it has happened or is lifted. */
export interface ReplyLoss extends Fault {
  readonly hasHappened: boolean;
}

interface Loss {
  readonly matches: (command: CommandHead) => boolean;
  /** The matching replies up to the lost one. */
  left: number;
}

/** A proxy before Redis that knows which reply belongs to which command. */
export class RedisProxy extends TcpProxy {
  readonly #conversations = new WeakMap<ProxiedConnection, Conversation>();
  readonly #subscribers = new WeakSet<ProxiedConnection>();
  readonly #losses = new Set<Loss>();

  /** @param redisPort - of a Redis on this machine, which may start later */
  static override async to(redisPort: number): Promise<RedisProxy> {
    const server = createServer({ allowHalfOpen: true });
    const port = await startListening(server);
    const proxy: RedisProxy = new RedisProxy(server, port, redisPort, (connection, direction, bytes) =>
      proxy.#inspect(connection, direction, bytes),
    );
    return proxy;
  }

  /** Whether a connection has subscribed to something: for the scope of a fault. */
  readonly isSubscriber = (connection: ProxiedConnection): boolean => this.#subscribers.has(connection);

  /** Whether a connection only sends commands: for the scope of a fault. */
  readonly isForCommands = (connection: ProxiedConnection): boolean => !this.isSubscriber(connection);

  /**
   * Loses the reply to a command that Redis has run: the connection ends instead. Replies to earlier commands
   * arrive.
   *
   * @param nth - the first matching command whose reply has not come yet is 1
   */
  loseReply(nth = 1, matches: Loss['matches'] = () => true): ReplyLoss {
    const loss = { matches, left: nth };
    this.#losses.add(loss);
    return {
      lift: () => void this.#losses.delete(loss),
      get hasHappened() {
        return loss.left === 0;
      },
    };
  }

  #inspect(connection: ProxiedConnection, direction: Direction, bytes: Buffer): Verdict {
    const conversation = this.#conversationOf(connection);
    if (direction === 'to-server') {
      for (const { value } of conversation.toServer.parse(bytes)) {
        const head = headOf(value);
        if (subscribing.has(head[0]?.toUpperCase() ?? '')) this.#subscribers.add(connection);
        conversation.unanswered.push(head);
      }
      return { passed: bytes };
    }
    let start = 0;
    for (const { isPush, end } of conversation.toClient.parse(bytes)) {
      // A subscriber gets any number of elements for a command, so that its replies are not told apart.
      const command = isPush || this.isSubscriber(connection) ? undefined : conversation.unanswered.shift();
      if (command && this.#isLost(command)) return { passed: bytes.subarray(0, start), thenEnd: true };
      start = end;
    }
    return { passed: bytes };
  }

  #isLost(command: CommandHead): boolean {
    for (const loss of this.#losses) {
      if (!loss.matches(command) || --loss.left > 0) continue;
      this.#losses.delete(loss);
      return true;
    }
    return false;
  }

  #conversationOf(connection: ProxiedConnection): Conversation {
    const known = this.#conversations.get(connection);
    if (known) return known;
    const begun = { toServer: new RespParser(), toClient: new RespParser(), unanswered: [] };
    this.#conversations.set(connection, begun);
    return begun;
  }
}

function headOf(command: RespValue): CommandHead {
  return Array.isArray(command) ? command.slice(0, headWords).map(String) : [];
}
