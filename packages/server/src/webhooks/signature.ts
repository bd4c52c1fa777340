import { createHmac } from 'node:crypto';

/** The headers of Standard Webhooks for one attempt to deliver a body. */
export function signedHeaders(
  secrets: readonly Buffer[],
  { id, body, timeMs }: { readonly id: string; readonly body: Buffer; readonly timeMs: number },
): Record<string, string> {
  const timestamp = String(Math.floor(timeMs / 1_000));
  const signatures = secrets.map((secret) => {
    const hmac = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body);
    return `v1,${hmac.digest('base64')}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
