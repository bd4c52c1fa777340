import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nextEvent, sleep, soonMs, until, within } from '../../../test/waits.ts';

/** The configuration in docs/proxies.md. */
export const documentedConfig: string =
  /```nginx\n(.*?)```/s.exec(
    readFileSync(new URL('../../../docs/proxies.md', import.meta.url), 'utf8'),
  )?.[1] ?? '';

export interface Nginx {
  readonly url: string;
  readonly secureUrl: string;
  stop(): Promise<void>;
}

/**
 * Starts Debian's nginx in front of a server, over HTTP and HTTPS.
 *
 * @param config - of the context `http`, for example.com's port 443 and a server on port 5000
 */
export async function startNginx(config: string, upstream: string): Promise<Nginx> {
  const directory = mkdtempSync(join(tmpdir(), 'fanfare-nginx-'));
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '1'];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', 'cert.pem', ...subject], {
    cwd: directory,
    stdio: 'ignore',
  });
  // Last, so that no other program takes them meanwhile.
  const [port, securePort] = [await freePort(), await freePort()];
  const adapted = config
    .replace('listen 443 ssl;', `listen 127.0.0.1:${port}; listen 127.0.0.1:${securePort} ssl;`)
    .replace(/ssl_certificate +\S+;/, `ssl_certificate ${directory}/cert.pem;`)
    .replace(/ssl_certificate_key +\S+;/, `ssl_certificate_key ${directory}/key.pem;`)
    .replace('http://127.0.0.1:5000', upstream.replace('localhost', '127.0.0.1'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; pid ${directory}/pid; error_log ${directory}/error.log; events { worker_connections 8192; }\n` +
      `http { access_log off; ${temporary.join(' ')}\n${adapted}}\n`,
  );
  let end = (): void => {};
  const nginx = spawn('nginx', ['-e', `${directory}/error.log`, '-c', join(directory, 'nginx.conf')], {
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    stdio: 'inherit',
  });
  const ended = new Promise<void>((resolve) => (end = resolve));
  nginx.once('exit', () => end());
  const url = `http://localhost:${port}`;
  await answers(url, nginx, () => readFileSync(join(directory, 'error.log'), 'utf8'));
  return {
    url,
    secureUrl: `https://localhost:${securePort}`,
    stop: async () => {
      nginx.kill('SIGTERM');
      await within(soonMs, 'nginx ends', ended);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Waits until nginx responds. */
async function answers(
  url: string,
  nginx: { readonly exitCode: number | null },
  log: () => string,
): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    if (nginx.exitCode !== null) throw new Error(`nginx ended: ${log()}`);
    return fetch(url, { headers: { connection: 'close' } }).then(
      () => true,
      () => false,
    );
  };
  // nginx does not report when it listens, so the test polls it.
  await until('nginx answers', isThere, { step: () => sleep(10), soFar: log });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await nextEvent(server, 'listening', 'a port is found that is free');
  const { port } = server.address() as AddressInfo;
  server.close();
  await nextEvent(server, 'close', 'the port is free again');
  return port;
}
