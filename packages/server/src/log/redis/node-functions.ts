import type { FunctionClient } from './function-client.ts';
import { textOf } from './replies.ts';

/** The nodes that are alive, by their ids. */
export interface LivingNodes {
  /** The key of all nodes. */
  readonly key: string;
  readonly addresses: ReadonlyMap<string, string>;
  /** A digest of the settings of each. */
  readonly settings: ReadonlyMap<string, string>;
}

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
   * @param settings - a digest of the settings that all nodes should have in common
   * @returns the key of all nodes, and the addresses and settings of the living nodes by their ids
   */
  async beat(nodeId: string, address: string, key: string, settings: string): Promise<LivingNodes> {
    const reply = await this.#client.ask('beat', nodeId, address, key, settings);
    const shared = reply.text();
    const fields = reply.list().map(textOf);
    const addresses = new Map<string, string>();
    const digests = new Map<string, string>();
    for (let at = 0; at + 2 < fields.length; at += 3) {
      const [id = '', theirs = '', digest = ''] = fields.slice(at, at + 3);
      addresses.set(id, theirs);
      digests.set(id, digest);
    }
    return { key: shared, addresses, settings: digests };
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
