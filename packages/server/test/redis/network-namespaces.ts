import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { atEnd } from './at-end.ts';
import type { Fault } from './tcp-proxy.ts';

/** A machine of its own for its processes: `RedisServer` takes it as `network`. */
export interface Namespace {
  readonly name: string;
  readonly address: string;
}

/** The command that runs a program in a namespace. */
export function inNamespace(network: Pick<Namespace, 'name'> | undefined): readonly string[] {
  return network ? ['nsenter', `--net=/run/netns/${network.name}`] : [];
}

/** Why there can be no network namespaces here; undefined if there can. */
export function whyNoNamespaces(): string | undefined {
  const name = `fanfare-${randomBytes(4).toString('hex')}`;
  const { error, status } = spawnSync('ip', ['netns', 'add', name]);
  if (error) return '`ip` of iproute2 is not installed';
  if (status !== 0) return 'only root may create network namespaces';
  ip('netns', 'del', name);
  return undefined;
}

/**
 * Network namespaces on one bridge, which this process reaches, too. Between any two of them packets can be
 * lost, as when a switch between machines fails: nobody is told. Removed when the test ends.
 */
export class NetworkNamespaces {
  readonly namespaces: readonly Namespace[];
  /** The address of this process for programs in the namespaces. */
  readonly ownAddress: string;
  readonly #bridge: string;

  /** @param count - of namespaces */
  constructor(count: number) {
    // The names of network devices have at most 15 characters.
    const id = randomBytes(3).toString('hex');
    const net = `10.${randomInt(128, 255)}.${randomInt(256)}`;
    this.#bridge = `ff${id}`;
    this.ownAddress = `${net}.1`;
    this.namespaces = Array.from({ length: count }, (_, index) => ({
      name: `ff${id}-${index}`,
      address: `${net}.${index + 2}`,
    }));
    atEnd(() => this.#remove());
    ip('link', 'add', this.#bridge, 'type', 'bridge');
    ip('addr', 'add', `${this.ownAddress}/24`, 'dev', this.#bridge);
    ip('link', 'set', this.#bridge, 'up');
    for (const { name, address } of this.namespaces) this.#add(name, address);
  }

  /** Loses all packets from one namespace to another. The other way stays. */
  cutOneWay(from: Namespace, to: Namespace): Fault {
    const rule = ['pref', '50', 'from', from.address, 'blackhole'];
    ip('-n', to.name, 'rule', 'add', ...rule);
    return { lift: () => ip('-n', to.name, 'rule', 'del', ...rule) };
  }

  /** Loses all packets between the namespaces of one side and those of the other side. */
  partition(one: readonly Namespace[], other: readonly Namespace[]): Fault {
    const faults = one.flatMap((near) =>
      other.flatMap((far) => [this.cutOneWay(near, far), this.cutOneWay(far, near)]),
    );
    return { lift: () => faults.forEach((fault) => fault.lift()) };
  }

  /** Loses all packets from and to a namespace, as if somebody pulled its cable at the switch. */
  unplug({ name }: Namespace): Fault {
    ip('link', 'set', deviceOf(name), 'nomaster');
    return { lift: () => ip('link', 'set', deviceOf(name), 'master', this.#bridge) };
  }

  #add(name: string, address: string): void {
    const device = deviceOf(name);
    ip('netns', 'add', name);
    ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', device, 'master', this.#bridge, 'up');
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
    // By default the kernel takes packets for its own addresses before it looks at any other rule.
    ip('-n', name, 'rule', 'add', 'pref', '100', 'lookup', 'local');
    ip('-n', name, 'rule', 'del', 'pref', '0');
  }

  #remove(): void {
    for (const { name } of this.namespaces) spawnSync('ip', ['netns', 'del', name]);
    spawnSync('ip', ['link', 'del', this.#bridge]);
  }
}

/** The end of a namespace's cable at the bridge. */
function deviceOf(name: string): string {
  return name.replace('-', 'v');
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}
