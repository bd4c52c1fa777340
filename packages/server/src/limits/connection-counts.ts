import { addressKey } from './address-key.ts';

/** The settings of docs/configuration.md that are about how many connections there are. */
export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** 0 is no limit. */
  readonly connectionsPerAddressMax: number;
}

/** How many connections are open, in all and from each address. */
export class ConnectionCounts {
  readonly #limits: ConnectionLimits;
  /** Has the addresses only where they are limited, so only as many as there are connections. */
  readonly #perAddress = new Map<string, number>();
  #open = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Undefined when one more may come from there, else why not. A socket in the file system has no address. */
  refusal(address: string | undefined): string | undefined {
    const { connectionsMax, connectionsPerAddressMax } = this.#limits;
    if (this.#open >= connectionsMax) return 'The server has as many connections as it may.';
    if (connectionsPerAddressMax === 0 || address === undefined) return undefined;
    if ((this.#perAddress.get(addressKey(address)) ?? 0) < connectionsPerAddressMax) return undefined;
    return `From one address ${connectionsPerAddressMax} connections may come, and have.`;
  }

  opened(address: string | undefined): void {
    this.#change(address, 1);
  }

  /** @param address - the one that it was opened with */
  closed(address: string | undefined): void {
    this.#change(address, -1);
  }

  #change(address: string | undefined, by: number): void {
    this.#open += by;
    if (this.#limits.connectionsPerAddressMax === 0 || address === undefined) return;
    const key = addressKey(address);
    const count = (this.#perAddress.get(key) ?? 0) + by;
    if (count > 0) this.#perAddress.set(key, count);
    else this.#perAddress.delete(key);
  }
}
