import type { IncomingMessage } from 'node:http';
import type { FanfareError, ErrorCode } from '@fanfare/protocol';
import type { ClientAddresses } from '../access/client-address.ts';
import type { Logger } from './logger.ts';

/** The time in which the same value is logged once, in milliseconds. */
const windowMs = 60_000;

/** Maximum number of kinds in that time, and of different values of each: clients choose the values. */
const kindsMax = 100;
const valuesMax = 20;

/** Beyond this number, all kinds are one. */
const others = 'Clients were refused for other reasons.';

/** Maximum number of characters of a client's value in the log. */
const charactersMax = 200;

/** The refusals that an operator has to know of. Others are faults of an app, and the app is told. */
const codesForOperators: ReadonlySet<ErrorCode> = new Set([
  'not_authenticated',
  'token_expired',
  'keys_unavailable',
  'rate_limited',
  'limit_exceeded',
]);

/** What happened in the present window. */
interface Kind {
  count: number;
  readonly values: Set<string>;
}

/**
 * Logs what is wrong with clients: why they are refused, and that they are slow. The first time is logged at
 * once. Within a minute, each value is logged once, and then the number of the others. So an operator can
 * tell a refusal from an outage, and clients cannot fill the disk.
 */
export class ClientRefusalLog {
  readonly #logger: Logger;
  #kinds = new Map<string, Kind>();
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * @param fields - the client's values
   * @param sentence - what happened
   * @param address - the address of the client
   * @param name - names the kind if the sentence differs each time
   */
  log(
    fields: Readonly<Record<string, string | undefined>>,
    sentence: string,
    address?: string,
    name: string = sentence,
  ): void {
    const kind = this.#kindOf(name);
    kind.count++;
    const client = Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [key, value?.slice(0, charactersMax)]),
    );
    const value = JSON.stringify(client);
    if (kind.values.has(value) || kind.values.size >= valuesMax) return;
    kind.values.add(value);
    this.#logger.warn({ client: address === undefined ? client : { ...client, address } }, sentence);
  }

  /** Logs the refusal of a request, if an operator has to know of it. */
  logRefusal({ code, message }: FanfareError): void {
    if (codesForOperators.has(code)) this.log({ code }, `A client was refused. ${message}`, undefined, code);
  }

  /** Makes a check of requests log each refusal. */
  logged<Request extends IncomingMessage>(
    refuse: (request: Request) => string | undefined,
    addresses: Pick<ClientAddresses, 'of'>,
  ): (request: Request) => string | undefined {
    return (request) => {
      const reason = refuse(request);
      if (reason === undefined) return undefined;
      const { origin, host } = request.headers;
      this.log({ origin, host }, `A client was refused. ${reason}`, addresses.of(request));
      return reason;
    };
  }

  /** Logs the numbers of the present minute. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [name, { count, values }] of this.#kinds) {
      const repeated = count - values.size;
      if (repeated > 0) this.#logger.warn({ client: {}, repeated }, repeatedSentence(name, repeated));
    }
    this.#kinds = new Map();
  }

  #kindOf(given: string): Kind {
    const name = this.#kinds.has(given) || this.#kinds.size < kindsMax ? given : others;
    const known = this.#kinds.get(name);
    if (known) return known;
    const kind = { count: 0, values: new Set<string>() };
    this.#kinds.set(name, kind);
    this.#timer ??= setTimeout(() => this.close(), windowMs).unref();
    return kind;
  }
}

function repeatedSentence(name: string, count: number): string {
  return `${count} more in the last minute: ${name}`;
}
