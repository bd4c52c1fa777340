import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from '@fanfare/server';
import { envsOf, secretFileEnvOf, settingKinds, settingNames } from '@fanfare/server/settings';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { freePort } from '../bench/src/free-port.ts';
import { fanfarePath, outcome, Program, temporaryDirectory } from '../packages/cli/test/harness.ts';
import { exitCodes } from '../packages/cli/src/exit-codes.ts';
import { secret } from '../packages/server/test/access/tokens.ts';
import { connectClient, strictLogger } from '../packages/server/test/harness.ts';
import { selfSigned } from '../packages/server/test/self-signed.ts';
import { RedisServer } from '../packages/server/test/redis/redis-server.ts';
import { readText } from './repository.ts';
import { nextEvent, sleep, until } from './waits.ts';

type Env = Readonly<Record<string, string>>;

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly failureThreshold?: number;
}

interface Node {
  readonly environment: Env;
  readonly stop_grace_period: string;
  readonly secrets: readonly string[];
  readonly networks: Readonly<Record<string, object>>;
  readonly depends_on: Readonly<Record<string, object>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Node & { readonly command?: readonly string[] }>>;
  readonly secrets: Readonly<Record<string, object>>;
  readonly networks: Readonly<Record<string, object>>;
}

const compose = (): Compose => parse(readText('deploy/docker/compose.yaml'), { merge: true }) as Compose;

/** The settings that the image has. */
function imageSettings(): Env {
  const dockerfile = readText('deploy/docker/Dockerfile');
  return Object.fromEntries(
    [...dockerfile.matchAll(/\b(FANFARE_\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
  );
}

const known = new Set([...settingNames.flatMap(envsOf), ...settingNames.map(secretFileEnvOf)]);

/** A time such as 10s or 1m, in milliseconds. */
function msOf(text: string): number {
  const [, number, unit] = /^(\d+)(s|m)$/.exec(text) ?? [];
  return Number(number) * (unit === 'm' ? 60_000 : 1_000);
}

const drainMs = (env: Env): number =>
  msOf(env['FANFARE_STOP_NOTICE_MS'] ?? '') + msOf(env['FANFARE_DRAIN_TIMEOUT_MS'] ?? '');

/** What `fanfare config check` says of settings, with the files that they name. */
async function checked(env: Env): ReturnType<typeof outcome> {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'token.key'), secret, { mode: 0o600 });
  writeFileSync(join(directory, 'redis.url'), 'redis://redis:6379', { mode: 0o600 });
  const here = Object.entries(env).map(([name, value]) => [
    name,
    value.replace(/^\/.*\/(token\.key|redis\.url)$/, `${directory}/$1`).replace('$(POD_IP)', '10.0.0.7'),
  ]);
  return outcome(
    new Program(process.execPath, [fanfarePath, 'config', 'check'], Object.fromEntries(here) as Env),
  );
}

describe('the units of systemd', () => {
  const folder = 'deploy/systemd';

  it('systemd-analyze accepts the units, and finds the server well restricted', () => {
    const directory = temporaryDirectory();
    const program = join(directory, 'fanfare');
    writeFileSync(program, '');
    chmodSync(program, 0o755);
    const paths = readdirSync(new URL(`../${folder}`, import.meta.url)).map((name) => {
      const path = join(directory, name);
      // systemd-analyze wants programs that exist.
      writeFileSync(path, readText(`${folder}/${name}`).replaceAll('/usr/local/bin/fanfare', program));
      return path;
    });
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], { encoding: 'utf8' });
    expect([verified.stderr, verified.status]).toEqual(['', 0]);
    const security = (path: string): number | null =>
      spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', '--threshold=20', path])
        .status;
    expect(security(join(directory, 'fanfare.service'))).toBe(0);
    // The check fails for a unit without restrictions.
    const open = join(directory, 'open.service');
    writeFileSync(open, `[Service]\nExecStart=${program}\n`);
    expect(security(open)).not.toBe(0);
  });

  it('the unit of the server gives a stop enough time, and does not restart where a restart does not help', () => {
    const unit = readText(`${folder}/fanfare.service`);
    const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
    const { stopNoticeMs, drainTimeoutMs } = settingKinds;
    expect(1_000 * Number(seconds)).toBeGreaterThan(stopNoticeMs.default + drainTimeoutMs.default);
    const { usage, damaged, lost } = exitCodes;
    expect(/^RestartPreventExitStatus=(.*)$/m.exec(unit)?.[1]).toBe([usage, damaged, lost].join(' '));
    expect(Number(/^LimitNOFILE=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(
      settingKinds.connectionsMax.default,
    );
  });
});

describe('compose.yaml', () => {
  it('compose.yaml has only settings and names that exist, and gives a stop enough time', async () => {
    const { services, secrets, networks } = compose();
    const nodes = Object.entries(services).filter(([name]) => name.startsWith('node-'));
    expect(nodes.map(([name]) => name)).toEqual(['node-1', 'node-2']);
    for (const [, node] of nodes) {
      const env = { ...imageSettings(), ...node.environment };
      expect(Object.keys(env).filter((name) => !known.has(name))).toEqual([]);
      expect(await checked(env)).toMatchObject({ code: 0, stderr: '' });
      expect(msOf(node.stop_grace_period)).toBeGreaterThan(drainMs(env));
      expect(node.secrets).toEqual(Object.keys(secrets));
      expect(node.environment['FANFARE_KEY_FILE']).toBe(`/run/secrets/${node.secrets[0]}`);
      expect(Object.keys(node.networks)).toEqual(Object.keys(networks));
      expect(node.networks['front']).toEqual({ aliases: ['nodes'] });
    }
    for (const { depends_on = {} } of Object.values(services))
      expect(Object.keys(depends_on).filter((name) => !(name in services))).toEqual([]);
    // The check detects a wrong setting.
    expect(known.has('FANFARE_STOP_NOTICE')).toBe(false);
    expect(await checked({ FANFARE_STOP_NOTICE_MS: '5x' })).toMatchObject({ code: 2 });
  });

  it('the nginx of compose.yaml spreads clients over the nodes that the DNS names, and finds a node that takes the place of another', async () => {
    const [program, ...flags] = compose().services['redis']?.command ?? [];
    expect(program).toBe('redis-server');
    const config = flags.join(' ').split(/ ?--/).slice(1);
    const redis = await RedisServer.start({ config });
    const port = await freePort();
    const startNode = async (host: string): Promise<ReturnType<typeof createServer>> => {
      const node = createServer({ host, port, redis: redis.url, open: true, logger: strictLogger });
      await node.start();
      onTestFinished(() => node.stop());
      return node;
    };
    let addresses = ['127.0.0.11', '127.0.0.12'];
    const [first] = [await startNode('127.0.0.11'), await startNode('127.0.0.12')];
    const dns = await startDns('nodes', () => addresses);
    const directory = temporaryDirectory();
    const pem = await selfSigned();
    writeFileSync(join(directory, 'both.pem'), pem);
    const securePort = await freePort();
    const nginxConfig = [
      ['listen 443', `listen 127.0.0.1:${securePort}`],
      ['127.0.0.11 valid=1s', `127.0.0.1:${dns} valid=1s`],
      ['$nodes:5000', `$nodes:${port}`],
      ['/etc/nginx/tls/fullchain.pem', join(directory, 'both.pem')],
      ['/etc/nginx/tls/privkey.pem', join(directory, 'both.pem')],
      ['http {', `daemon off; pid ${directory}/pid; http { ${temporaryPaths(directory)}`],
    ].reduce((text, [from = '', to = '']) => {
      expect(text).toContain(from);
      return text.replace(from, () => to);
    }, readText('deploy/docker/nginx.conf'));
    writeFileSync(join(directory, 'nginx.conf'), nginxConfig);
    const nginx = new Program(
      'nginx',
      ['-e', join(directory, 'error.log'), '-c', join(directory, 'nginx.conf')],
      { PATH: `${process.env['PATH']}:/usr/sbin` },
    );
    const url = `https://127.0.0.1:${securePort}`;
    const isThere = async (): Promise<boolean> => {
      if (nginx.process.exitCode !== null) throw new Error(nginx.stderr);
      const curl = new Program('curl', ['--insecure', '--fail', `${url}/readyz`]);
      return (await curl.exitCode) === 0;
    };
    // nginx does not report when it listens, so the test polls it.
    await until('nginx serves', isThere, { step: () => sleep(20), soFar: () => nginx.stderr });

    /** The nodes that have clients. */
    const nodesInUse = async (): Promise<Set<string>> => {
      const response = await fetch(`http://127.0.0.12:${port}/connections`);
      const { connections } = (await response.json()) as { connections: readonly { node: string }[] };
      return new Set(connections.map(({ node }) => node));
    };
    const connect = async (): ReturnType<typeof connectClient> =>
      connectClient(url, 'websocket', { ca: pem });
    const clients = await Promise.all(Array.from({ length: 6 }, connect));
    await Promise.all(clients.map((client) => client.emitWithAck('subscribe', { topic: 'news' })));
    const received = clients.map((client) => nextEvent(client, 'news', 'the message comes from any node'));
    expect(await clients[0]?.emitWithAck('publish', { topic: 'news', message: 1 })).toMatchObject({
      ok: true,
    });
    expect(await Promise.all(received)).toEqual(clients.map(() => ({ message: 1 })));
    // nginx chooses at random.
    await until('both nodes have clients', async () => (await nodesInUse()).size === 2, { step: connect });
    const before = await nodesInUse();

    await first?.stop();
    addresses = ['127.0.0.13'];
    await startNode('127.0.0.13');
    const isOnNewNode = async (): Promise<boolean> => {
      await connect().catch(() => {});
      return [...(await nodesInUse())].some((node) => !before.has(node));
    };
    // nginx keeps what the DNS said for a second, and tells nobody when it asks again.
    await until('nginx finds the new node', isOnNewNode, { step: () => sleep(50) });
  });
});

describe('the manifests of Kubernetes', () => {
  const documents = parseAllDocuments(readText('deploy/kubernetes/fanfare.yaml')).map(
    (document) =>
      document.toJS() as { readonly kind: string; readonly spec: Readonly<Record<string, unknown>> },
  );
  const specOf = (kind: string): unknown => documents.find((document) => document.kind === kind)?.spec;
  const deployment = specOf('Deployment') as {
    replicas: number;
    template: {
      metadata: { labels: Env };
      spec: {
        terminationGracePeriodSeconds: number;
        containers: readonly Container[];
        volumes: readonly { readonly name: string }[];
      };
    };
  };
  const { spec: pod, metadata } = deployment.template;
  const container = pod.containers[0] as Container;
  const env: Env = {
    ...imageSettings(),
    ...Object.fromEntries(container.env.map(({ name, value = '10.0.0.7' }) => [name, value])),
  };
  const settings = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('FANFARE_')));

  it('the manifests have settings that exist and fit together, and give a stop enough time', async () => {
    expect(Object.keys(settings).filter((name) => !known.has(name))).toEqual([]);
    expect(await checked(settings)).toMatchObject({ code: 0, stderr: '' });
    expect(1_000 * pod.terminationGracePeriodSeconds).toBeGreaterThan(drainMs(env));
    const { periodSeconds, failureThreshold = 3 } = container.readinessProbe;
    expect(msOf(env['FANFARE_STOP_NOTICE_MS'] ?? '')).toBeGreaterThan(
      1_000 * periodSeconds * failureThreshold,
    );
    const mounts = container.volumeMounts.map(({ mountPath }) => mountPath);
    for (const name of ['FANFARE_KEY_FILE', 'FANFARE_REDIS_FILE'])
      expect(mounts).toContain((env[name] ?? '').replace(/\/[^/]*$/, ''));
    expect(pod.volumes.map(({ name }) => name)).toEqual(container.volumeMounts.map(({ name }) => name));
  });

  it('the probes and ports of the manifests are those of the server, and the budget leaves room for a node that drains', async () => {
    const ports = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]));
    const { port } = settingKinds;
    expect(Object.fromEntries(ports)).toEqual({
      http: port.default,
      nodes: Number(env['FANFARE_ADVERTISE']?.split(':')[1]),
      admin: Number(env['FANFARE_ADMIN_LISTEN']?.split(':')[1]),
    });
    const server = createServer({ port: 0, adminListen: '127.0.0.1:0', key: secret, logger: strictLogger });
    onTestFinished(() => server.stop());
    await server.start();
    for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      const { path, port: probed } = container[name].httpGet;
      expect(probed).toBe('admin');
      expect((await fetch(`${server.adminUrl}${path}`)).status).toBe(200);
    }
    expect((await fetch(`${server.adminUrl}/nothing`)).status).toBe(404);
    const labels = { matchLabels: metadata.labels };
    expect(specOf('PodDisruptionBudget')).toEqual({ minAvailable: 1, selector: labels });
    expect(deployment.replicas).toBeGreaterThan(1);
    expect(specOf('Service')).toMatchObject({ selector: metadata.labels, ports: [{ targetPort: 'http' }] });
    const { podSelector, ingress } = specOf('NetworkPolicy') as {
      podSelector: object;
      ingress: { ports: { port: string }[] }[];
    };
    expect(podSelector).toEqual(labels);
    expect(ingress.flatMap((rule) => rule.ports.map((one) => one.port))).toEqual([...ports.keys()]);
  });
});

function temporaryPaths(directory: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ');
}

/** A DNS server that knows one name (RFC 1035). @returns its port */
async function startDns(name: string, addresses: () => readonly string[]): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const asked: string[] = [];
    let end = 12;
    for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) {
      asked.push(query.toString('latin1', end + 1, end + 1 + length));
      end += 1 + length;
    }
    end += 5;
    const found = asked.join('.') === name ? addresses() : [];
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(found.length > 0 ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(found.length, 6);
    header.writeUInt32BE(0, 8);
    // Each answer points to the name in the question, and is valid for a second.
    const answers = found.map((one) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...one.split('.').map(Number)]),
    );
    socket.send(Buffer.concat([header, query.subarray(12, end), ...answers]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await nextEvent(socket, 'listening', 'the DNS server listens');
  onTestFinished(() => void socket.close());
  return socket.address().port;
}
