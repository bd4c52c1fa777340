import type { FunctionClient } from './function-client.ts';
import { textOf } from './replies.ts';

/** The functions about the nodes that share the log. */
export class NodeFunctions {
  readonly #client: FunctionClient;

  constructor(client: FunctionClient) {
    this.#client = client;
  }

  /**
   * Makes a node known for ten seconds.
   *
   * @param address - `HOST:PORT`; empty if the node has none
   * @param key - the key of all nodes, if none has given one before
   * @returns the key of all nodes, and the addresses of the living nodes by their ids
   */
  async beat(
    nodeId: string,
    address: string,
    key: string,
  ): Promise<{ readonly key: string; readonly addresses: ReadonlyMap<string, string> }> {
    const reply = await this.#client.ask('beat', nodeId, address, key);
    const shared = reply.text();
    const fields = reply.list().map(textOf);
    const addresses = new Map<string, string>();
    for (let at = 0; at + 1 < fields.length; at += 2) addresses.set(fields[at] ?? '', fields[at + 1] ?? '');
    return { key: shared, addresses };
  }

  /** Sends a text to one node. It can be lost. */
  async tell(nodeId: string, text: string): Promise<void> {
    await this.#client.ask('tell', nodeId, text);
  }

  /** The node has stopped. */
  async part(nodeId: string): Promise<void> {
    await this.#client.ask('part', nodeId);
  }
}
