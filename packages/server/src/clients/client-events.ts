import { MalformedMessageError, type Client, type ReceivedEvent } from '@fanfare/engine';
import type { Refused } from '@fanfare/protocol';
import { isNotJson } from '../message-path/refusals.ts';
import type { ClientRefusalLog } from '../observability/client-refusal-log.ts';
import { asRefusal, type RequestLogger } from '../observability/unexpected-failure.ts';
import type { Login } from './client-peer.ts';
import type { Commands } from './commands.ts';
import { NotJsonError, readCommand, refusedEvent } from './received-command.ts';

export interface ClientEventParts {
  readonly commands: Commands;
  readonly refusalLog: ClientRefusalLog;
  readonly logger: RequestLogger;
  readonly limits: { readonly publishBytesMax: number };
}

/** Reads the events of clients as commands, and acknowledges them. */
export class ClientEvents {
  readonly #parts: ClientEventParts;

  constructor(parts: ClientEventParts) {
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
    const { commands, limits } = this.#parts;
    try {
      const { name, input } = readCommand(event, limits.publishBytesMax);
      const result = commands.carryOut(peer, name, input);
      if (!(result instanceof Promise)) return acknowledge(client, event.id, result);
      result.then(
        (done) => acknowledge(client, event.id, done),
        (error: unknown) => this.#refuse(client, event.id, error),
      );
    } catch (error) {
      if (error instanceof MalformedMessageError) throw error;
      this.#refuse(client, event.id, error);
    }
  }

  #refuse(client: Client<Login>, id: number | undefined, error: unknown): void {
    const { refusalLog, logger } = this.#parts;
    if (error instanceof NotJsonError || isNotJson(error)) refusalLog.log({}, refusedEvent);
    const problem = asRefusal(error, logger).toProblem();
    if (id === undefined) client.emit('error', JSON.stringify(problem));
    else acknowledge(client, id, { ok: false, error: problem } satisfies Refused);
  }
}

function acknowledge(client: Client<Login>, id: number | undefined, result: object): void {
  if (id !== undefined) client.acknowledge(id, JSON.stringify(result));
}
