import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { join } from 'node:path';
import { createServer } from '@fanfare/server';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../bench/src/free-port.ts';
import { Program, temporaryDirectory } from '../packages/cli/test/harness.ts';
import { secret, tokenFor } from '../packages/server/test/access/tokens.ts';
import { connectClient, strictLogger, transports } from '../packages/server/test/harness.ts';
import { selfSigned } from '../packages/server/test/self-signed.ts';
import { readText } from './repository.ts';
import { nextEvent, sleep, soonMs, until, within } from './waits.ts';

/** Where a proxy of a test listens, and what it needs. */
interface Place {
  readonly directory: string;
  readonly port: number;
  readonly upstream: string;
  /** The file with the certificate and its key. */
  readonly pem: string;
}

interface Proxy {
  readonly name: string;
  readonly file: string;
  /** What the test replaces in the file. */
  readonly replaced: (place: Place) => readonly (readonly [RegExp, string])[];
  /** The whole configuration. */
  readonly whole?: (config: string, place: Place) => string;
  readonly command: (path: string, place: Place) => readonly string[];
}

const proxies: readonly Proxy[] = [
  {
    name: 'nginx',
    file: 'nginx.conf',
    replaced: ({ port, upstream, pem }) => [
      [/listen 443 ssl/, `listen 127.0.0.1:${port} ssl`],
      [/\S+fullchain.pem/, pem],
      [/\S+privkey.pem/, pem],
      [/127\.0\.0\.1:5000/g, upstream],
    ],
    whole: (config, { directory }) => {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${directory}/${name};`,
      );
      // Its workers write large bodies to the folder of this user.
      const user = process.getuid?.() === 0 ? 'user root;' : '';
      return `daemon off; ${user} pid ${directory}/pid; events {}\nhttp { access_log off; ${temporary.join(' ')}\n${config}}`;
    },
    command: (path, { directory }) => ['nginx', '-e', `${directory}/error.log`, '-c', path],
  },
  {
    name: 'HAProxy',
    file: 'haproxy.cfg',
    replaced: ({ port, upstream, pem }) => [
      // The user of a test may not open that many files.
      [/maxconn 100000/, 'maxconn 1000'],
      [/bind :443/, `bind 127.0.0.1:${port}`],
      [/\S+both.pem/, pem],
      [/127\.0\.0\.1:5000/, upstream],
    ],
    command: (path) => ['haproxy', '-db', '-f', path],
  },
  {
    name: 'Caddy',
    file: 'Caddyfile',
    replaced: ({ port, upstream, pem }) => [
      [/^rt\.example \{/m, `https://127.0.0.1:${port} {\n\tbind 127.0.0.1\n\ttls ${pem} ${pem}`],
      [/127\.0\.0\.1:5000/g, upstream],
    ],
    whole: (config) => `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${config}`,
    command: (path) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', path],
  },
];

/** Starts a proxy with its configuration in deploy/proxies. @returns its URL */
async function start(
  { file, replaced, whole, command }: Proxy,
  upstream: string,
  pem: string,
): Promise<string> {
  const directory = temporaryDirectory();
  const place = { directory, port: await freePort(), upstream, pem: join(directory, 'both.pem') };
  writeFileSync(place.pem, pem, { mode: 0o600 });
  const config = replaced(place).reduce(
    (text, [pattern, replacement]) => {
      expect(text).toMatch(pattern);
      return text.replace(pattern, replacement);
    },
    readText(`deploy/proxies/${file}`),
  );
  const path = join(directory, file);
  writeFileSync(path, whole?.(config, place) ?? config);
  const [name = '', ...args] = command(path, place);
  const program = new Program(name, args, {
    PATH: `${process.env['PATH']}:/usr/sbin`,
    XDG_DATA_HOME: directory,
    XDG_CONFIG_HOME: directory,
  });
  const url = `https://127.0.0.1:${place.port}`;
  const isThere = async (): Promise<boolean> => {
    if (program.process.exitCode !== null) throw new Error(program.stderr);
    return get(`${url}/readyz`, pem).then(
      ({ status }) => status === 200,
      () => false,
    );
  };
  // No proxy reports that it listens, so the test polls it.
  await until(`${name} serves`, isThere, { step: () => sleep(20), soFar: () => program.stderr });
  return url;
}

async function get(
  url: string,
  ca: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number | undefined; body: unknown }> {
  const responded = new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { ca, agent: false, headers }).once('response', resolve).once('error', reject).end();
  });
  const response = await within(soonMs, 'the server responds', responded);
  return { status: response.statusCode, body: await json(response) };
}

it.each(proxies)(
  'behind $name as in deploy/proxies, all transports, streams and publishing work with TLS, on a host of its own and below a path, and the server sees the addresses of clients',
  async (proxy) => {
    const server = createServer({ port: 0, key: secret, trustProxy: '127.0.0.1', logger: strictLogger });
    onTestFinished(() => server.stop());
    const upstream = new URL(await server.start()).host.replace('localhost', '127.0.0.1');
    const pem = await selfSigned();
    expect(new X509Certificate(pem).subjectAltName).toContain('127.0.0.1');
    const origin = await start(proxy, upstream, pem);
    const token = await tokenFor({ admin: true });
    const headers = { authorization: `Bearer ${token}` };

    for (const path of ['', '/rt']) {
      for (const transport of transports) {
        const client = await connectClient(origin, transport, {
          path: `${path}/socket.io/`,
          ca: pem,
          auth: { token },
        });
        const topic = `orders${path}/${transport}`;
        await client.emitWithAck('subscribe', { topic });
        const received = nextEvent(client, topic, 'the message comes through the proxy');
        expect(await client.emitWithAck('publish', { topic, message: path })).toMatchObject({ ok: true });
        expect(await received).toEqual({ message: path });
        client.close();
      }
      const directory = temporaryDirectory();
      const ca = join(directory, 'ca.pem');
      writeFileSync(ca, pem);
      const curl = (...args: string[]): Program =>
        new Program('curl', ['--cacert', ca, '--header', `Authorization: Bearer ${token}`, ...args]);
      const stream = curl(
        '--no-buffer',
        '--interface',
        '127.0.0.2',
        '-HAccept: text/event-stream',
        `${origin}${path}/messages?topic=orders${path}/websocket`,
      );
      await stream.says('event: subscribed');
      // 2 MB: more than nginx allows by default.
      const batch = JSON.stringify(
        Array.from({ length: 20 }, (_, number) => ({
          topic: `orders${path}/websocket`,
          message: [number, 'x'.repeat(100_000)],
        })),
      );
      const file = join(directory, 'batch.json');
      writeFileSync(file, batch);
      const publish = curl(
        '-HContent-Type: application/json',
        '--data-binary',
        `@${file}`,
        `${origin}${path}/publish`,
      );
      expect([await publish.exitCode, publish.stdout]).toEqual([0, expect.stringContaining('"ok":true')]);
      await stream.says('[19,"xxx');
      const { body } = await get(`${origin}${path}/subscribers?topic=orders${path}/websocket`, pem, headers);
      expect(body).toMatchObject({ subscribers: [{ transport: 'stream', address: '127.0.0.2' }] });
    }
  },
);
