import { createSecureContext, type SecureContext } from 'node:tls';
import type { Target } from '../server-target.ts';

/** Parsed once, not for each request, because Node's own certificates are among them. */
const contexts = new WeakMap<readonly string[], SecureContext>();

/** The options of a request that trusts the authorities of the user. */
export function tlsOptionsOf({ ca }: Target): { readonly secureContext?: SecureContext } {
  if (!ca) return {};
  const secureContext = contexts.get(ca) ?? createSecureContext({ ca: [...ca] });
  contexts.set(ca, secureContext);
  return { secureContext };
}
