import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';
import { fanfarePath, outcome, Program, startServer } from './harness.ts';

let folder: string;
const file = (name: string): string => join(folder, name);

/** An authority of our own, and a certificate of it for localhost. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fanfare-'));
  const openssl = (command: string): Buffer =>
    execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'pipe' });
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  openssl(`req -x509 ${key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority`);
  openssl(`req ${key} -keyout server.key -out server.csr -subj /CN=localhost`);
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost');
  openssl(
    'x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A server behind one that ends TLS, as a proxy does. */
async function startSecure(): Promise<string> {
  const { url } = await startServer();
  const { port } = new URL(url);
  const [cert, key] = [readFileSync(file('server.pem')), readFileSync(file('server.key'))];
  const proxy = createServer({ cert, key }, (client) => {
    const server = connect(Number(port), '127.0.0.1');
    client.pipe(server).pipe(client);
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
  });
  onTestFinished(() => void proxy.close());
  await startListening(proxy);
  return `https://localhost:${(proxy.address() as AddressInfo).port}`;
}

async function run(args: readonly string[], env: Record<string, string> = {}): ReturnType<typeof outcome> {
  return outcome(new Program(process.execPath, [fanfarePath, ...args], env));
}

it.each(['--ca', 'NODE_EXTRA_CA_CERTS'])(
  'pub and sub reach a server whose authority is named with %s, and history with FANFARE_CA',
  async (way) => {
    const url = await startSecure();
    const ca = file('ca.pem');
    const [flags, env] = way === '--ca' ? [['--ca', ca], {}] : [[], { [way]: ca }];
    expect(await run(['pub', 'news', 'x', '--create', '--url', url, ...flags], env)).toMatchObject({
      code: 0,
    });
    const sub = ['sub', 'news', '--from', 'earliest', '--count', '1', '--url', url, ...flags];
    expect(await run(sub, env)).toMatchObject({ code: 0, stdout: 'x\n' });
    const history = await run(['history', 'news', '--url', url], { FANFARE_CA: ca });
    expect(history.stdout).toMatch(/\tx\n$/);
  },
);

it('a server whose authority is unknown is refused, and --ca is named', async () => {
  const url = await startSecure();
  for (const args of [['sub', 'news'], ['pub', 'news', 'x'], ['topics']]) {
    const { code, stderr } = await run([...args, '--url', url]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/its certificate is not trusted \(.+\)\. Name a file with .* with --ca\.\n$/);
  }
});

it.each([
  ['missing.pem', (ca: string) => `Cannot read --ca ${ca} (ENOENT).`],
  ['ca.key', (ca: string) => `--ca ${ca} has no PEM certificate.`],
])('a file without certificates is refused: %s', async (name, sentenceOf) => {
  expect(await run(['sub', 'news', '--ca', file(name)])).toEqual({
    code: 2,
    stdout: '',
    stderr: `${sentenceOf(file(name))}\n`,
  });
});
