import { BlockList, isIP } from 'node:net';
import type { IsInNetworks } from '../access/networks.ts';

/** IPv4 networks that are not public (RFC 6890 and its registry), multicast among them. */
const specialIpv4 = blockList('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]);

/** The only IPv6 addresses that IANA assigns to the public. Others can hold an IPv4 address. */
const globalIpv6 = blockList('ipv6', [['2000::', 3]]);

/** Parts of them for protocols, documentation, and tunnels to any IPv4 address (Teredo, 6to4). */
const specialIpv6 = blockList('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);

function blockList(family: 'ipv4' | 'ipv6', networks: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, bits] of networks) list.addSubnet(network, bits, family);
  return list;
}

export function isPublicAddress(address: string): boolean {
  const [bare = ''] = address.split('%');
  switch (isIP(bare)) {
    case 4:
      return !specialIpv4.check(bare, 'ipv4');
    case 6:
      return globalIpv6.check(bare, 'ipv6') && !specialIpv6.check(bare, 'ipv6');
    default:
      return false;
  }
}

/**
 * Decides to which addresses a webhook may connect. Without encryption, only the networks that the operator
 * has named: elsewhere, others could read and change the messages.
 */
export function addressCheck(isEncrypted: boolean, isNamed: IsInNetworks): (address: string) => boolean {
  return (address) => isNamed(address) || (isEncrypted && isPublicAddress(address));
}
