import { ClientAddresses, parseTrustProxy } from '../access/client-address.ts';

/** Finds the address of a client, behind the proxies that the setting trusts. */
export function clientAddressesOf({ trustProxy }: { readonly trustProxy: string | number }): ClientAddresses {
  return new ClientAddresses(parseTrustProxy(String(trustProxy)) ?? (() => false));
}
