import { BlockList, isIP } from 'node:net';

const familyBits = { ipv4: 32, ipv6: 128 } as const;

/** Whether an address is in one of some networks. */
export type IsInNetworks = (address: string | undefined) => boolean;

/** Reads a comma-separated list of addresses and networks. Undefined if the text is something else. */
export function parseNetworks(text: string): IsInNetworks | undefined {
  if (text.trim() === '') return () => false;
  const networks = new BlockList();
  for (const part of text.split(',')) {
    const [, address = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(part.trim()) ?? [];
    const family = familyOf(address);
    if (!family || Number(bits ?? 0) > familyBits[family]) return undefined;
    networks.addSubnet(address, Number(bits ?? familyBits[family]), family);
  }
  return (address = '') => {
    const [bare = ''] = address.split('%');
    const family = familyOf(bare);
    return family !== undefined && networks.check(bare, family);
  };
}

function familyOf(address: string): keyof typeof familyBits | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6';
}
