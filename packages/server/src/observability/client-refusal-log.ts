import type { IncomingMessage } from 'node:http';
import type { ClientAddresses } from '../access/client-address.ts';
import type { Logger } from './logger.ts';

/**
 * Maximum number of different refusals in the log, because clients can send any number of different values.
 */
const valuesMax = 1_000;

/** Maximum number of characters of a client's value in the log. */
const charactersMax = 200;

/**
 * Logs why clients are refused, once for each value. So an operator can distinguish a refusal from an outage.
 */
export class ClientRefusalLog {
  readonly #logger: Logger;
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * @param fields - the client's values. Only the first refusal with the same fields and sentence is logged
   * @param address - the address of the first client
   */
  log(fields: Readonly<Record<string, string | undefined>>, sentence: string, address?: string): void {
    const client = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, value?.slice(0, charactersMax)]),
    );
    const key = `${sentence} ${JSON.stringify(client)}`;
    if (this.#told.has(key) || this.#told.size > valuesMax) return;
    this.#told.add(key);
    const isLast = this.#told.size > valuesMax;
    const told = address === undefined ? client : { ...client, address };
    this.#logger.warn({ client: told }, isLast ? `${sentence} Further refusals are not logged.` : sentence);
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
}
