import { ClientAddresses, parseTrustProxy } from '../access/client-address.ts';

/** Finds the address of a client whose request comes through trusted proxies. */
export function clientAddressesOf({ trustProxy }: { readonly trustProxy: string | number }): ClientAddresses {
  return new ClientAddresses(parseTrustProxy(String(trustProxy)) ?? (() => false));
}
