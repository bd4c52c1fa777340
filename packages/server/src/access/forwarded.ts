import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { isLoopback } from './loopback.ts';

/** The headers that have comma-separated addresses and hosts. */
const lists: ReadonlySet<string> = new Set([
  'x-real-ip',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-server',
  'x-forwarded-by',
]);

/**
 * Whether a proxy has forwarded a request that may come from another machine: the request has a header of a
 * proxy, and these headers name an address or host that is not this machine's own. If they name none, the
 * origin is unknown, which counts as another machine.
 */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  let hasProxyHeader = false;
  const names: string[] = [];
  for (const header in headers) {
    const value = String(headers[header]);
    if (lists.has(header)) names.push(...value.split(','));
    else if (header === 'forwarded') names.push(...namesOfForwarded(value));
    else if (header === 'via') names.push(...namesOfVia(value));
    else if (!header.startsWith('x-forwarded-')) continue;
    hasProxyHeader = true;
  }
  return hasProxyHeader && (names.length === 0 || !names.every(isOwn));
}

/** RFC 7239: `for=192.0.2.60;proto=http;by="[2001:db8::1]:80", for=unknown`. */
function namesOfForwarded(value: string): readonly string[] {
  const pairs = value.matchAll(/(?:^|[;,])\s*(for|by|host)\s*=\s*(?:"([^"]*)"|([^;,]*))/gi);
  return [...pairs].map(([, , quoted, bare = '']) => quoted ?? bare);
}

/** RFC 9110, 7.6.3: `1.1 localhost:8080 (nginx), 1.0 other`. */
function namesOfVia(value: string): readonly string[] {
  return value
    .replaceAll(/\([^)]*\)/g, '')
    .split(',')
    .map((one) => one.trim().split(/\s+/)[1] ?? '');
}

/** Whether an address or host, with or without a port, is this machine's own. */
function isOwn(text: string): boolean {
  const name = text.trim();
  if (isIP(name) > 0) return isLoopback(name);
  const url = `http://${name}`;
  if (!/^[\w.:[\]-]+$/.test(name) || !URL.canParse(url)) return false;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  return isLoopback(host) || host.endsWith('.localhost');
}
