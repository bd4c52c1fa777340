import { addressKey } from './address-key.ts';

/** The settings that limit how many connections are open (docs/configuration.md). */
export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** 0 means no limit. */
  readonly connectionsPerAddressMax: number;
}

/** Counts the open connections, in total and from each address. */
export class ConnectionCounts {
  readonly #limits: ConnectionLimits;
  /**
   * Also counted without a limit, because a reload can set one. It has at most as many entries as there are
   * connections.
   */
  readonly #perAddress = new Map<string, number>();
  #open = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /**
   * The reason to refuse a connection from an address. Undefined accepts it. A Unix domain socket has no
   * address.
   */
  refusal(address: string | undefined): string | undefined {
    const { connectionsMax, connectionsPerAddressMax } = this.#limits;
    if (this.#open >= connectionsMax)
      return `Limit of ${connectionsMax} connections reached (\`connectionsMax\`).`;
    if (connectionsPerAddressMax === 0 || address === undefined) return undefined;
    if ((this.#perAddress.get(addressKey(address)) ?? 0) < connectionsPerAddressMax) return undefined;
    return `Limit of ${connectionsPerAddressMax} connections per address reached (\`connectionsPerAddressMax\`).`;
  }

  opened(address: string | undefined): void {
    this.#change(address, 1);
  }

  /** @param address - the address with which the connection was counted as opened */
  closed(address: string | undefined): void {
    this.#change(address, -1);
  }

  #change(address: string | undefined, by: number): void {
    this.#open += by;
    if (address === undefined) return;
    const key = addressKey(address);
    const count = (this.#perAddress.get(key) ?? 0) + by;
    if (count > 0) this.#perAddress.set(key, count);
    else this.#perAddress.delete(key);
  }
}
