import type { Server, Socket } from 'socket.io';
import type { Access } from '../access/access.ts';
import { socketTokenOf } from '../access/bearer.ts';
import type { Rights } from '../access/rights.ts';
import { asRefusal, type RequestLogger } from '../observability/unexpected-failure.ts';

/** Verifies the tokens of clients of the main namespace before they are connected. */
export class SignIn {
  readonly #access: Access;
  readonly #logger: RequestLogger;
  readonly #rights = new WeakMap<Socket, Rights>();
  #isOver = false;

  constructor(io: Server, access: Access, logger: RequestLogger) {
    this.#access = access;
    this.#logger = logger;
    if (!access.isOpen) io.use((socket, next) => void this.#check(socket, next));
  }

  /**
   * The rights of a client. Undefined if its token was not verified: it connected before, or Socket.IO has
   * recovered it.
   */
  rightsOf(socket: Socket): Rights | undefined {
    return this.#access.isOpen ? this.#access.fullRights : this.#rights.get(socket);
  }

  /** @throws FanfareError `not_authenticated`, `token_expired`, `keys_unavailable` */
  ask(socket: Socket): Promise<Rights> {
    const { request, handshake } = socket;
    const { auth, headers } = handshake;
    return this.#access.authenticate(socketTokenOf(auth, headers), { request, auth });
  }

  /** From now on, all clients pass, because a middleware of Socket.IO cannot be removed. */
  stop(): void {
    this.#isOver = true;
  }

  async #check(socket: Socket, next: (error?: Error) => void): Promise<void> {
    if (this.#isOver) return next();
    const { auth, headers } = socket.handshake;
    try {
      this.#rights.set(socket, this.#access.known(socketTokenOf(auth, headers)) ?? (await this.ask(socket)));
    } catch (error) {
      const problem = asRefusal(error, this.#logger).toProblem();
      return next(Object.assign(new Error(problem.detail), { data: problem }));
    }
    next();
  }
}
