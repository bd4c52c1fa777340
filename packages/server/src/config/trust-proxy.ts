import { ClientAddresses, parseTrustProxy } from '../access/client-address.ts';

/** Tells clients by their addresses, as the setting has it. */
export function clientAddressesOf({ trustProxy }: { readonly trustProxy: string | number }): ClientAddresses {
  return new ClientAddresses(parseTrustProxy(String(trustProxy)) ?? (() => false));
}
