import type { HostPort } from './host-port.ts';

/** The length of the id of a node, in characters. */
export const nodeIdLength = 5;

/**
 * The id of a node, from the id of this run of the server. Two of a hundred nodes get the same id with a
 * probability of one to 200,000.
 */
export function nodeIdOf(runId: string): string {
  return runId.slice(0, nodeIdLength);
}

/**
 * Knows the nodes of one Fanfare: the servers that share a log, behind one load balancer. A node gets its id
 * and the key from the directory, and makes its address known there.
 */
export interface NodeDirectory {
  /** The id of this node: {@link nodeIdLength} characters of base64url. No other living node has the same. */
  readonly nodeId: string;
  /**
   * The secret with which nodes prove to each other that they are nodes of the same Fanfare: 32 random bytes,
   * the same on all nodes. It never leaves a node over a connection to another node. It can change if the
   * directory loses its data, so it is read for each connection.
   */
  readonly key: Buffer;
  /** Whether this node calls others with TLS. Each node also accepts calls without. */
  readonly usesTls: boolean;
  /** Makes known that other nodes reach this node at an address, `HOST:PORT`. */
  announce(address: string): Promise<void>;
  /**
   * The address of another node, `HOST:PORT`. Undefined: no living node has this id.
   *
   * Called for each request that is passed on, also with ids that clients have made up. So an implementation
   * must know living nodes from memory, and must limit how often it looks for others. It can only answer
   * "there is no such node" after it has looked for nodes since the call: a node may have just started, and
   * its client would lose its session.
   *
   * @throws Error if the directory cannot know it at the moment
   */
  addressOf(nodeId: string): Promise<string | undefined>;
}

/** Parses `HOST:PORT`. IPv6 addresses are in brackets: `[2001:db8::1]:7000`. Undefined if it is neither. */
export function parseNodeAddress(text: string): HostPort | undefined {
  const [, inBrackets, bare, digits] = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = inBrackets ?? bare;
  const port = Number(digits);
  return host !== undefined && port > 0 && port < 65_536 ? { host, port } : undefined;
}
