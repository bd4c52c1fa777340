import type { HostPort } from '../nodes/host-port.ts';

/** Parses `HOST:PORT`, or a port of 127.0.0.1. Port 0 takes any free port. Undefined if it is neither. */
export function parseAdminListen(text: string): HostPort | undefined {
  const [, inBrackets, bare, digits] = /^(?:(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return port < 65_536 ? { host: inBrackets ?? bare ?? '127.0.0.1', port } : undefined;
}
