import { TcpProxy, type Fault } from '../redis/tcp-proxy.ts';

/**
 * A network to a server that can be cut: all its TCP connections end at once, without HTTP or Socket.IO
 * packets.
 */
export class BreakableNetwork {
  readonly url: string;
  readonly #proxy: TcpProxy;
  #refusal: Fault | undefined;

  private constructor(proxy: TcpProxy) {
    this.#proxy = proxy;
    this.url = `http://127.0.0.1:${proxy.port}`;
  }

  static async to(url: string): Promise<BreakableNetwork> {
    return new BreakableNetwork(await TcpProxy.to(Number(new URL(url).port)));
  }

  /** Ends all connections, and refuses new ones until `mend`. */
  cut(): void {
    this.#refusal = this.#proxy.refuse();
    this.#proxy.cut();
  }

  mend(): void {
    this.#refusal?.lift();
  }
}
