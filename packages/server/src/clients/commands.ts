import { FanfareError, fieldsOf, type TokenRenewed } from '@fanfare/protocol';
import type { Access } from '../access/access.ts';
import type { Asking } from '../access/identify.ts';
import type { LiveIdentity } from '../access/live-identities.ts';
import type { Source } from '../limits/rate-limits.ts';
import type { PublishInput } from '../message-path/admit.ts';
import type { Connection } from '../message-path/connection.ts';
import type { MessagePath } from '../message-path/message-path.ts';

/** A client that sends commands. */
export interface Commander {
  readonly connection: Connection;
  /** The source of its commands, for the rate limits. */
  readonly source: Source;
  /** Undefined if clients need no tokens. */
  readonly identity: LiveIdentity | undefined;
  /** The request and the credentials of its login, if the next token needs them. */
  readonly asking: Asking | undefined;
}

/** The event with which a client sends its next token, before the current one expires. */
export const renewal = 'token';

/** The events that are commands on every Socket.IO server. */
export const commandNames = ['subscribe', 'unsubscribe', 'publish'] as const;

/** Carries out the commands of Socket.IO clients. */
export class Commands {
  readonly #path: () => MessagePath;
  readonly #access: Access;

  constructor(path: () => MessagePath, access: Access) {
    this.#path = path;
    this.#access = access;
  }

  /**
   * @param input - a publish may be text, which the message path parses
   * @returns the acknowledgement
   * @throws FanfareError, or rejects with it
   */
  carryOut(client: Commander, name: string, input: PublishInput): object | Promise<object> {
    const { connection } = client;
    if (name === 'publish') {
      return connection.afterCommands(() => this.#path().publish(connection.rights, input, client.source));
    }
    const argument = 'value' in input ? input.value : undefined;
    if (name === 'subscribe') return connection.subscribe(argument, client.source);
    if (name === 'unsubscribe') return connection.unsubscribe(argument);
    if (name === renewal) return this.#renew(client, argument);
    throw new FanfareError(
      'bad_request',
      `Unknown event '${name.slice(0, 100)}'. The known events are ${commandNames.join(', ')}.`,
    );
  }

  async #renew({ connection, identity, asking }: Commander, input: unknown): Promise<TokenRenewed> {
    const token = fieldsOf(input, renewal, '{"token": "…"}')('token');
    if (typeof token !== 'string') throw new FanfareError('bad_request', 'The token must be a string.');
    // An open server accepts the event too, so that clients need not know whether the server requires tokens.
    if (this.#access.isOpen) return { ok: true };
    await connection.renew(async () => {
      const next = asking && { request: asking.request, auth: { ...asking.auth, token } };
      const rights = await this.#access.authenticate(token, next);
      if (rights.identity.subject !== connection.rights.identity.subject)
        throw new FanfareError('not_authorized', 'The token must be for the same subject as the connection.');
      identity?.renew(rights.identity);
      return rights;
    });
    const { endsAt } = connection.rights.identity;
    return { ok: true, ...(endsAt !== Infinity && { exp: endsAt / 1_000 }) };
  }
}
