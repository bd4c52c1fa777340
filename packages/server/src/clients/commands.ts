import { MalformedMessageError, type Client, type ReceivedEvent } from '@fanfare/engine';
import { FanfareError, fieldsOf, type Refused, type TokenRenewed } from '@fanfare/protocol';
import type { Access } from '../access/access.ts';
import type { PublishInput } from '../message-path/admit.ts';
import type { MessagePath } from '../message-path/message-path.ts';
import { isNotJson } from '../message-path/refusals.ts';
import type { ClientRefusalLog } from '../observability/client-refusal-log.ts';
import type { Logger } from '../observability/logger.ts';
import { asRefusal } from '../observability/unexpected-failure.ts';
import type { ClientPeer, Login } from './client-peer.ts';
import { NotJsonError, readCommand, refusedEvent } from './received-command.ts';

export interface CommandParts {
  readonly path: () => MessagePath;
  readonly access: Access;
  readonly refusalLog: ClientRefusalLog;
  readonly logger: Logger;
  readonly publishBytesMax: number;
}

/** The event with which a client sends its next token, before the current one expires. */
const renewal = 'token';

/** Carries out the commands of clients. */
export class Commands {
  readonly #parts: CommandParts;

  constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  /**
   * Carries out a command and acknowledges it, if the client asked for an acknowledgement. Otherwise only a
   * refusal is sent, as the event `error`. A command that is done at once is acknowledged in the same turn,
   * before any delivery.
   *
   * @throws MalformedMessageError if the event cannot be read
   */
  take(client: Client<Login>, event: ReceivedEvent): void {
    const { peer } = client.identity;
    if (!peer) return;
    try {
      const { name, input } = readCommand(event, this.#parts.publishBytesMax);
      const result = this.#carryOut(peer, client.identity, name, input);
      if (!(result instanceof Promise)) acknowledge(client, event.id, result);
      else void this.#acknowledgeLater(client, event.id, result);
    } catch (error) {
      if (error instanceof MalformedMessageError) throw error;
      this.#refuse(client, event.id, error);
    }
  }

  async #acknowledgeLater(
    client: Client<Login>,
    id: number | undefined,
    result: Promise<object>,
  ): Promise<void> {
    try {
      acknowledge(client, id, await result);
    } catch (error) {
      this.#refuse(client, id, error);
    }
  }

  #refuse(client: Client<Login>, id: number | undefined, error: unknown): void {
    if (error instanceof NotJsonError || isNotJson(error)) this.#parts.refusalLog.log({}, refusedEvent);
    const problem = asRefusal(error, this.#parts.logger).toProblem();
    if (id === undefined) client.emit('error', JSON.stringify(problem));
    else acknowledge(client, id, { ok: false, error: problem } satisfies Refused);
  }

  #carryOut(peer: ClientPeer, login: Login, name: string, input: PublishInput): object | Promise<object> {
    const { connection, source } = peer;
    if (name === 'publish') {
      return connection.afterCommands(() => this.#parts.path().publish(connection.rights, input, source));
    }
    const argument = 'value' in input ? input.value : undefined;
    if (name === 'subscribe') return connection.subscribe(argument, source);
    if (name === 'unsubscribe') return connection.unsubscribe(argument);
    if (name === renewal) return this.#renew(peer, login, argument);
    throw unknownEvent(name);
  }

  async #renew(
    { connection, identity }: ClientPeer,
    { asking }: Login,
    input: unknown,
  ): Promise<TokenRenewed> {
    const { access } = this.#parts;
    const token = fieldsOf(input, renewal, '{"token": "…"}')('token');
    if (typeof token !== 'string') throw new FanfareError('bad_request', 'The token must be a string.');
    // An open server accepts the event too, so that clients need not know whether the server requires tokens.
    if (access.isOpen) return { ok: true };
    await connection.renew(async () => {
      const next = asking && { request: asking.request, auth: { ...asking.auth, token } };
      const rights = await access.authenticate(token, next);
      if (rights.identity.subject !== connection.rights.identity.subject)
        throw new FanfareError('not_authorized', 'The token must be for the same subject as the connection.');
      identity?.renew(rights.identity);
      return rights;
    });
    const { endsAt } = connection.rights.identity;
    return { ok: true, ...(endsAt !== Infinity && { exp: endsAt / 1_000 }) };
  }
}

function acknowledge(client: Client<Login>, id: number | undefined, result: object): void {
  if (id !== undefined) client.acknowledge(id, JSON.stringify(result));
}

function unknownEvent(event: string): FanfareError {
  return new FanfareError(
    'bad_request',
    `Unknown event '${event.slice(0, 100)}'. The known events are subscribe, unsubscribe, publish.`,
  );
}
