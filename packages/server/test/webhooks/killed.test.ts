import { createServer as createHttpsServer } from 'node:https';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../../bench/src/free-port.ts';
import { nextEvent, startListening, until } from '../../../../test/waits.ts';
import { startServerProcess, terminate } from '../faults/server-process.ts';
import { publish } from '../harness.ts';
import { selfSigned } from '../self-signed.ts';
import { isAuthentic, secret, type Got } from './test-receiver.ts';

it('a killed server continues over https where it was: each message arrives, repeats have the same id', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-webhooks-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const pem = await selfSigned();
  const got: Got[] = [];
  let limit = 0;
  const receiver = createHttpsServer({ key: pem, cert: pem }, (request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const { headers } = request;
      const isAccepted = got.length < limit;
      if (isAccepted)
        got.push({ id: String(headers['webhook-id']), headers, text, body: JSON.parse(text) as Got['body'] });
      response.writeHead(isAccepted ? 200 : 503).end();
    });
  });
  onTestFinished(() => void receiver.close());
  const receiverPort = await startListening(receiver);
  const config = join(directory, 'fanfare.json');
  const ca = join(directory, 'ca.pem');
  writeFileSync(ca, pem.slice(pem.indexOf('-----BEGIN CERTIFICATE')));
  writeFileSync(join(directory, 'secret'), secret, { mode: 0o600 });
  const webhook = {
    url: `https://127.0.0.1:${receiverPort}/hook`,
    on: ['message'],
    secretFile: join(directory, 'secret'),
  };
  writeFileSync(
    config,
    JSON.stringify({
      webhookNetworks: '127.0.0.1',
      rules: [{ match: 'orders/*', create: 'publish', webhook }],
    }),
  );
  const options = {
    data: join(directory, 'data'),
    port: await freePort(),
    flags: ['--config', config],
    env: { NODE_EXTRA_CA_CERTS: ca },
  };
  const send = async (url: string, from: number): Promise<void> => {
    for (let at = from; at < from + 20; at++) {
      const { status } = await publish(url, { topic: `orders/${at % 3}`, message: at });
      expect(status).toBe(200);
    }
  };

  const first = await startServerProcess(options);
  await send(first.url, 0);
  limit = 10;
  await until('the receiver has accepted some', () => got.length === 10, { soFar: () => got.length });
  await first.server.kill();
  const second = await startServerProcess(options);
  await send(second.url, 20);
  limit = Infinity;
  const ids = (): Set<string> => new Set(got.map(({ id }) => id));
  await until('the receiver has accepted all', () => ids().size === 40, { soFar: () => ids().size });
  await terminate(second.server);

  const orders = new Map<string, unknown[]>();
  const seen = new Map<string, string>();
  for (const { id, text, body } of got) {
    expect(seen.get(id) ?? text).toBe(text);
    if (seen.has(id)) continue;
    seen.set(id, text);
    orders.set(body.data.topic, [...(orders.get(body.data.topic) ?? []), body.data.message]);
  }
  for (const [topic, messages] of orders) {
    const all = Array.from({ length: 40 }, (_, at) => at).filter((at) => `orders/${at % 3}` === topic);
    expect(messages).toEqual(all);
  }
  for (const request of got) expect(await isAuthentic(request)).toBe(true);
  receiver.closeAllConnections();
  await nextEvent(receiver.close(), 'close', 'the receiver closes');
});
