import type { IncomingMessage } from 'node:http';
import type { Client, ReceivedEvent } from './client.ts';
import type { MalformedMessageError } from './message.ts';
import type { Refusal } from './refusal.ts';

/** The refusal of a login. The client sees it, and can try again. */
export class LoginRefusal {
  readonly message: string;
  readonly data: unknown;

  /** @param data - what programs need to know, beside the message for people */
  constructor(message: string, data?: unknown) {
    this.message = message;
    this.data = data;
  }
}

/** A client that logs in. */
export interface Handshake {
  /** The request that began the session. */
  readonly request: IncomingMessage;
  readonly address: string;
  readonly auth: Readonly<Record<string, unknown>>;
}

/** A request that was refused. */
export interface Refused extends Refusal {
  readonly request: IncomingMessage;
}

type Headers = Readonly<Record<string, string>>;

/**
 * What an engine serves. None of these functions may throw, except where this is said. `event` may throw a
 * MalformedMessageError.
 *
 * @typeParam I - what the app knows of a client since its login
 */
export interface App<I> {
  /** Checks each request, also of sessions. @returns why it is refused; undefined if it is not */
  readonly check?: (request: IncomingMessage) => Refusal | undefined;
  /** Decides about a new session. @returns the reason of a refusal; undefined lets the client in */
  readonly admit?: (request: IncomingMessage) => string | undefined | Promise<string | undefined>;
  /** A session has begun, and is gone: what the app counts for each address. */
  readonly opened?: (address: string) => void;
  readonly gone?: (address: string) => void;
  /** The address of the client that sent a request. By default that of its TCP connection. */
  readonly addressOf?: (request: IncomingMessage) => string;
  /** Which web pages may read responses, and the response to a preflight. */
  readonly cors?: {
    readonly headers: (request: IncomingMessage) => Headers;
    readonly preflight: (request: IncomingMessage) => Headers | undefined;
  };
  /**
   * Checks JSON that the engine itself parses: `auth`, and events with attachments. JSON of many arrays takes
   * long to parse. May throw a MalformedMessageError.
   */
  readonly checkJson?: (json: string) => void;
  readonly login: (handshake: Handshake) => I | LoginRefusal | Promise<I | LoginRefusal>;
  readonly connected: (client: Client<I>) => void;
  readonly event: (client: Client<I>, event: ReceivedEvent) => void;
  /**
   * A client is about to be closed, because of what it sent. If it has logged in, it can still be sent an
   * event.
   */
  readonly malformed?: (client: Client<I> | undefined, error: MalformedMessageError) => void;
  /** A client has read everything, after `offer` has returned false. */
  readonly drained?: (client: Client<I>) => void;
  readonly disconnected: (client: Client<I>, reason: string) => void;
  /** Polls have taken so many deliveries. */
  readonly polled?: (deliveries: number) => void;
  readonly refused?: (refused: Refused) => void;
}
