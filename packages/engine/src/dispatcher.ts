import type { IncomingMessage } from 'node:http';
import { LoginRefusal, type App } from './app.ts';
import { Client, messagePacket, receivedEvent } from './client.ts';
import { newId } from './ids.ts';
import type { Logins } from './login.ts';
import {
  checkPlaceholders,
  encodeConnect,
  encodeConnectError,
  MalformedMessageError,
  parseAuth,
  parseEvent,
  parseMessage,
  type Message,
} from './message.ts';
import type { MessageHandler, Session } from './session.ts';

const foreignParser =
  'Binary data came that does not belong to an event. Use the parser of Socket.IO, not another such as msgpack.';

/** Takes the messages of one session: logins, events and disconnects. There is one namespace, `/`. */
export class Dispatcher<I> implements MessageHandler {
  readonly #session: Session;
  readonly #app: App<I>;
  readonly #logins: Logins<Session>;
  /** The request that began the session, until its end. */
  #request: IncomingMessage | undefined;
  #client: Client<I> | undefined;
  #isLoggingIn = false;
  /** A message whose attachments have not all come. */
  #partial: { readonly message: Message; missing: number } | undefined;

  constructor(session: Session, request: IncomingMessage, app: App<I>, logins: Logins<Session>) {
    this.#session = session;
    this.#request = request;
    this.#app = app;
    this.#logins = logins;
  }

  takeMessage(text: string): void {
    this.#attempt(() => {
      if (this.#partial)
        throw new MalformedMessageError('An event came instead of the attachments of an earlier event.');
      const message = parseMessage(text);
      if (message.type !== 'event') this.#app.checkJson?.(message.payload);
      if (message.attachments > 0) this.#partial = { message, missing: message.attachments };
      else this.#take(message);
    });
  }

  takeAttachment(): void {
    this.#attempt(() => {
      const partial = this.#partial;
      if (!partial) throw new MalformedMessageError(foreignParser);
      if (--partial.missing > 0) return;
      this.#partial = undefined;
      const { message } = partial;
      if (message.type === 'binary_event') checkPlaceholders(parseEvent(message), message.attachments);
      this.#take(message);
    });
  }

  drained(): void {
    if (this.#client) this.#app.drained?.(this.#client);
  }

  end(reason: string): void {
    this.#request = undefined;
    this.#endClient(reason);
  }

  #attempt(take: () => void): void {
    try {
      take();
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error;
      this.#app.malformed?.(this.#client, error);
      this.#session.close('malformed message', error.message);
    }
  }

  #take(message: Message): void {
    const { type, namespace } = message;
    if (type === 'connect') return this.#connect(message);
    // A client that is not connected can send nothing else.
    if (!this.#client || type === 'connect_error') return this.#session.close('message out of place');
    if (namespace !== '/')
      throw new MalformedMessageError('A message came for a namespace to which the client is not connected.');
    if (type === 'disconnect') this.#disconnect();
    else if (type === 'event' || type === 'binary_event')
      this.#app.event(this.#client, receivedEvent(message));
    // Nobody waits for an acknowledgement: we do not ask for any.
  }

  #connect(message: Message): void {
    const auth = parseAuth(message);
    if (message.namespace !== '/') return this.#refuse(message.namespace, { message: 'Invalid namespace' });
    const request = this.#request;
    if (this.#client || this.#isLoggingIn || !request) return this.#session.close('message out of place');
    this.#isLoggingIn = true;
    const login = this.#app.login({ request, address: this.#session.address, auth });
    if (login instanceof Promise) void login.then((result) => this.#finishLogin(result));
    else this.#finishLogin(login);
  }

  #finishLogin(login: I | LoginRefusal): void {
    this.#isLoggingIn = false;
    if (!this.#request) return;
    if (login instanceof LoginRefusal) return this.#refuse('/', login);
    const client = new Client(newId(), login, this.#session);
    this.#client = client;
    this.#logins.end(this.#session);
    this.#session.send(messagePacket(encodeConnect(client.id)));
    this.#app.connected(client);
  }

  #refuse(namespace: string, error: { readonly message: string; readonly data?: unknown }): void {
    this.#session.send(messagePacket(encodeConnectError(namespace, error)));
  }

  /** The client can log in again over the same session. */
  #disconnect(): void {
    this.#endClient('client disconnect');
    this.#logins.begin(this.#session);
  }

  #endClient(reason: string): void {
    const client = this.#client;
    this.#client = undefined;
    if (client) this.#app.disconnected(client, reason);
  }
}
