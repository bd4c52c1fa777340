import { connect } from '@fanfare/client';
import { createServer, type FanfareServer } from '@fanfare/server';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { collect, nextEvent } from '../../../test/waits.ts';
import { fanfare, outcome } from '../../cli/test/harness.ts';
import { launchBrowser } from './browser.ts';
import { messageRows, openConsole } from './console/page.ts';
import { connectClient, publish, strictLogger, transports } from './harness.ts';
import { openStream } from './http-tools.ts';
import { documentedConfig, startNginx, type Nginx } from './nginx.ts';

describe('behind nginx as in docs/proxies.md, with a path prefix that nginx removes', () => {
  let server: FanfareServer;
  let nginx: Nginx;
  let url: string;

  beforeAll(async () => {
    server = createServer({ port: 0, logger: strictLogger });
    nginx = await startNginx(documentedConfig, await server.start());
    url = `${nginx.url}/rt`;
  });

  afterAll(async () => {
    await server.stop();
    await nginx.stop();
  });

  const declare = async (topic: string): Promise<void> => {
    const response = await fetch(`${url}/topic?topic=${topic}`, { method: 'PUT' });
    expect(response.ok).toBe(true);
  };

  it.each(transports)(
    'behind nginx with a path prefix, a Socket.IO client subscribes and publishes over %s',
    async (transport) => {
      const options = { path: '/rt/socket.io/', rejectUnauthorized: false };
      const client = await connectClient(nginx.secureUrl, transport, options);
      const topic = `over ${transport}`;
      await client.emitWithAck('subscribe', { topic });
      const received = nextEvent(client, topic, 'the message comes through nginx');
      expect(await client.emitWithAck('publish', { topic, message: 1 })).toMatchObject({ ok: true });
      expect(await received).toEqual({ message: 1 });
    },
  );

  it('behind nginx, a topic with a slash is declared, read, streamed and deleted by its name in the query', async () => {
    for (const name of ['orders/7', 'orders%2F7']) {
      const topic = `${url}/topic?topic=${name}`;
      expect((await fetch(topic, { method: 'PUT' })).status).toBe(201);
      expect(await (await fetch(topic)).json()).toMatchObject({ topic: 'orders/7', messages: 0 });
      const stream = await openStream(`${url}/messages?topic=${name}`);
      expect((await publish(url, { topic: 'orders/7', message: 'tea' })).status).toBe(200);
      await stream.until(({ event, data }) => event === 'message' && data['message'] === 'tea');
      const page = (await (await fetch(`${url}/messages?topic=${name}&last=1`)).json()) as object;
      expect(page).toMatchObject({ messages: [{ topic: 'orders/7', message: 'tea' }] });
      const subscribers = (await (await fetch(`${url}/subscribers?topic=${name}`)).json()) as object;
      expect(subscribers).toMatchObject({ subscribers: [{ transport: 'stream', via: 'orders/7' }] });
      stream.close();
      expect((await fetch(topic, { method: 'DELETE' })).status).toBe(204);
      expect((await fetch(topic)).status).toBe(404);
    }
  });

  it('behind nginx, a topic with a slash in the path gets 404, and the response says to use the query', async () => {
    await declare('orders/8');
    const response = await fetch(`${url}/topics/orders%2F8/messages`);
    expect([response.status, await response.json()]).toEqual([
      404,
      expect.objectContaining({
        detail: expect.stringContaining('into the query: /topic?topic=orders/7') as string,
      }),
    ]);
  });

  it('behind nginx, the SDK does everything with the URL that has the path prefix', async () => {
    const client = connect(url);
    onTestFinished(() => client.close());
    const subscription = client.subscribe('sdk/1');
    await subscription.ready;
    await client.publish('sdk/1', 'live');
    const live = await collect('the message comes', subscription, { count: 1 });
    expect(live.map(({ message }) => message)).toEqual(['live']);
    const kept = await collect('the history ends', client.history('sdk/1'));
    expect(kept.map(({ message }) => message)).toEqual(['live']);
  });

  it('behind nginx, the command line does everything with the URL that has the path prefix', async () => {
    const run = (...args: string[]): ReturnType<typeof outcome> => outcome(fanfare(...args, '--url', url));
    const published = await run('pub', 'cli/../1', 'hello', '--create');
    const [kept, deleted] = await Promise.all([
      run('history', 'cli/../1'),
      run('topics', 'delete', '--yes', '..'),
    ]);
    expect([published.code, published.stderr]).toEqual([0, "Message published to topic 'cli/../1'\n"]);
    expect(kept.stdout).toMatch(/\thello\n$/);
    expect(deleted).toMatchObject({ code: 1, stderr: expect.stringContaining("'..'") as string });
  });

  it('behind nginx, the console shows a topic with a slash and publishes to it, and a page connects with the SDK', async () => {
    await declare('orders/9');
    await publish(url, { topic: 'orders/9', message: 'kept' });
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const page = await openConsole(browser, `${nginx.secureUrl}/rt`, {
      ignoreHTTPSErrors: true,
      route: 'topics/orders%2F9',
    });
    await page.getByText('1 message kept').waitFor();
    await page.getByRole('tab', { name: 'History' }).click();
    await messageRows(page, 'kept').waitFor();
    await page.getByRole('textbox', { name: 'Message' }).fill('"typed"');
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await page.getByText('2 messages kept').waitFor();
    await page.addScriptTag({ url: `${nginx.secureUrl}/rt/fanfare.js` });
    // This is a text because the page runs it, not this program.
    const got = await page.evaluate(`(async () => {
      const fanfare = Fanfare.connect('${nginx.secureUrl}/rt');
      const subscription = fanfare.subscribe('orders/9', { from: 'earliest' });
      await subscription.ready;
      await fanfare.publish('orders/9', 'new');
      const got = [];
      for await (const { message } of subscription) if (got.push(message) === 3) break;
      for await (const { message } of fanfare.history('orders/9')) got.push(message);
      return got;
    })()`);
    expect(got).toEqual(['kept', 'typed', 'new', 'kept', 'typed', 'new']);
  });
});

it('behind nginx with only `proxy_pass`, a server without a key refuses everything except GET /, and says why', async () => {
  const server = createServer({ port: 0, logger: strictLogger });
  const nginx = await startNginx(
    'server { listen 443 ssl; ssl_certificate x; ssl_certificate_key x; location / { proxy_pass http://127.0.0.1:5000; } }',
    await server.start(),
  );
  try {
    expect((await fetch(nginx.url)).status).toBe(200);
    for (const path of ['/topics', '/socket.io/?EIO=4&transport=polling']) {
      const response = await fetch(`${nginx.url}${path}`);
      expect([path, response.status, await response.text()]).toEqual([
        path,
        403,
        expect.stringContaining('Fanfare accepts HTTP/1.0 only for `GET /` and `OPTIONS`'),
      ]);
    }
    expect((await publish(nginx.url, { topic: 'a', message: 1 })).status).toBe(403);
    await expect(connectClient(nginx.url)).rejects.toThrow('websocket error');
  } finally {
    await server.stop();
    await nginx.stop();
  }
});
