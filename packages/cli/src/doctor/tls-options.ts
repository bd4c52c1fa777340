import { createSecureContext, type SecureContext } from 'node:tls';
import type { Target } from '../server-target.ts';

/** The certificates of an authority with those of Node are many: they are parsed once, not for each request. */
const contexts = new WeakMap<readonly string[], SecureContext>();

/** The options of a request that trusts the authorities of the user. */
export function tlsOptionsOf({ ca }: Target): { readonly secureContext?: SecureContext } {
  if (!ca) return {};
  const secureContext = contexts.get(ca) ?? createSecureContext({ ca: [...ca] });
  contexts.set(ca, secureContext);
  return { secureContext };
}
