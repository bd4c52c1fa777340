import { isIPv6 } from 'node:net';

/**
 * Returns the key by which an address is counted: an IPv4 address, or the first 64 bits of an IPv6 address. A
 * host that has one IPv6 address usually has its whole /64 network. An IPv4 address in IPv6 notation counts
 * as the IPv4 address.
 */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  const [withoutZone = ''] = address.split('%');
  const [front = '', back] = withoutZone.split('::');
  const given = groupsOf(front);
  const missing = back === undefined ? 0 : Math.max(0, 8 - given.length - groupsOf(back).length);
  const groups = [...given, ...Array<string>(missing).fill('0'), ...groupsOf(back ?? '')];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

function groupsOf(part: string): readonly string[] {
  return part === '' ? [] : part.split(':').map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''));
}
