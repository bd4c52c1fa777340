import { spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { createRequire } from 'node:module';
import { createServer as createTcpServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { join } from 'node:path';
import { Server, type ServerOptions } from 'socket.io';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../bench/src/free-port.ts';
import { nextEvent, startListening } from '../../../test/waits.ts';
import { startNginx } from '../../server/test/nginx.ts';
import { selfSigned } from '../../server/test/self-signed.ts';
import type { FindingCode } from '../src/doctor/finding.ts';
import { findings } from '../src/doctor/findings.ts';
import { startBrokenProxy } from './broken-proxy.ts';
import { fanfare, fanfarePath, outcome, Program, startServer, temporaryDirectory } from './harness.ts';
import { startOtherServer } from './lab-servers.ts';

const key = 'a secret that is long enough for HS256, which needs 32 bytes';
const page = 'https://app.example';

/** A server of Socket.IO as it is. */
async function startStock(options: Partial<ServerOptions> = {}): Promise<{ url: string; io: Server }> {
  const http = createServer((request, response) => {
    response.writeHead(404).end(`Cannot ${request.method} ${request.url}`);
  });
  const io = new Server(http, options);
  const url = `http://localhost:${await startListening(http)}`;
  onTestFinished(() => io.close());
  return { url, io };
}

async function startFanfare(options: Parameters<typeof startServer>[1] = {}): Promise<string> {
  return (await startServer(0, { memory: true, ...options })).url;
}

/** A certificate for the documented configuration is made by `startNginx`. */
const tls = 'listen 443 ssl; ssl_certificate x; ssl_certificate_key x;';

async function startProxy(config: string, upstream: string): Promise<string> {
  const nginx = await startNginx(config, upstream);
  onTestFinished(() => nginx.stop());
  return nginx.url;
}

/** nginx with the lines in the location of a server. */
async function behindNginx(upstream: string, lines: readonly string[], location = '/'): Promise<string> {
  const pass = lines.some((line) => line.includes('proxy_pass')) ? '' : 'proxy_pass http://127.0.0.1:5000;';
  return startProxy(`server { ${tls} location ${location} { ${pass}\n${lines.join('\n')}\n} }`, upstream);
}

interface Report {
  readonly code: number;
  readonly codes: readonly string[];
  readonly text: string;
}

async function examine(url: string, ...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await outcome(fanfare('doctor', url, '--json', ...args));
  expect(stderr).toBe('');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { code?: string });
  return { code, codes: lines.flatMap((line) => line.code ?? []), text: stdout };
}

/** The lines that the finding tells people to put into nginx. */
function mend(code: FindingCode): readonly string[] {
  return findings[code].nginx ?? [];
}

const http11 = 'proxy_http_version 1.1;';
const host = 'proxy_set_header Host $http_host;';
const upgrade = mend('websocket_not_upgraded');

describe('a deployment without faults', () => {
  it.each<[string, () => Promise<string>]>([
    ['Fanfare', startFanfare],
    ['Socket.IO 4', async () => (await startStock()).url],
    ['Socket.IO 4 without polling', async () => (await startStock({ transports: ['websocket'] })).url],
    ['the path of Socket.IO in the URL', async () => `${(await startStock()).url}/socket.io/`],
    ['Fanfare behind nginx', async () => behindNginx(await startFanfare(), [...upgrade, host])],
    ['Socket.IO 4 behind nginx', async () => behindNginx((await startStock()).url, [...upgrade, host])],
  ])('the doctor finds nothing wrong with %s', async (_, start) => {
    expect(await examine(await start())).toMatchObject({ code: 0, codes: [] });
  });

  it('the doctor finds nothing wrong with python-socketio, which compresses messages by default', async () => {
    expect(await examine(await startPython())).toMatchObject({ code: 0, codes: ['websocket_compressed'] });
  });
});

/** python-socketio with aiohttp. */
async function startPython(): Promise<string> {
  const port = await freePort();
  const server = spawn('/usr/bin/python3', [
    '-c',
    `import socketio
from aiohttp import web
sio = socketio.AsyncServer(async_mode='aiohttp')
app = web.Application()
sio.attach(app)
web.run_app(app, host='127.0.0.1', port=${port})`,
  ]);
  onTestFinished(() => void server.kill());
  await nextEvent(server.stdout, 'data', 'the server in Python says that it listens');
  return `http://127.0.0.1:${port}`;
}

/** Each is a broken nginx, and the same one with the lines that the doctor prints. */
const nginxFaults: readonly [
  FindingCode,
  string,
  () => Promise<[broken: string, mended: string, ...string[]]>,
][] = [
  [
    'websocket_not_upgraded',
    'nginx that does not pass on `Upgrade`, in front of Fanfare',
    async () => {
      const url = await startFanfare();
      return [await behindNginx(url, [http11, host]), await behindNginx(url, [host, ...upgrade])];
    },
  ],
  [
    'websocket_not_upgraded',
    'nginx with only `proxy_pass`, in front of Socket.IO 4',
    async () => {
      const { url } = await startStock();
      return [await behindNginx(url, []), await behindNginx(url, upgrade)];
    },
  ],
  [
    'http_1_0',
    'nginx that uses HTTP/1.0, in front of Fanfare',
    async () => {
      const url = await startFanfare();
      const broken = [host, 'proxy_http_version 1.0;'];
      return [await behindNginx(url, broken), await behindNginx(url, [host, ...mend('http_1_0')])];
    },
  ],
  [
    'stream_buffered',
    'nginx that buffers streams',
    async () => {
      const url = await startFanfare({ open: true });
      const withStreams = (lines: readonly string[]): Promise<string> => {
        const pass = `${host} proxy_pass http://${new URL(url).host.replace('localhost', '127.0.0.1')};`;
        const streams = `proxy_http_version 1.0; proxy_ignore_headers X-Accel-Buffering; ${lines.join('\n')}`;
        const socket = upgrade.join('\n');
        return startProxy(
          `server { ${tls} location / { ${socket} ${pass} } location /messages { ${streams} ${pass} } }`,
          '',
        );
      };
      return [await withStreams([]), await withStreams(mend('stream_buffered'))];
    },
  ],
  [
    'stream_compressed',
    'nginx that compresses streams',
    async () => {
      const url = await startFanfare();
      const compressing = (lines: readonly string[]): Promise<string> => {
        const gzip = 'gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any;';
        const all = [...upgrade, host, 'proxy_ignore_headers X-Accel-Buffering;', ...lines].join('\n');
        return startProxy(
          `server { ${tls} ${gzip} location / { proxy_pass http://127.0.0.1:5000; ${all} } }`,
          url,
        );
      };
      return [await compressing([]), await compressing(mend('stream_compressed'))];
    },
  ],
  [
    'not_sticky',
    'nginx in front of two servers of Socket.IO 4, without sticky sessions',
    async () => {
      const urls = [(await startStock()).url, (await startStock()).url].map((url) => new URL(url).host);
      const addresses = urls.map((one) => one.replace('localhost', '127.0.0.1'));
      const location = (lines: string): string =>
        `server { ${tls} location / { ${upgrade.join(' ')} ${lines} } }`;
      const [first = '', second = ''] = addresses;
      const text = mend('not_sticky')
        .join('\n')
        .replace('10.0.0.1:5000', first)
        .replace('10.0.0.2:5000', second);
      const [, upstream = '', pass = ''] = /^([^]*\})\n(.*)$/.exec(text) ?? [];
      const broken = `upstream two { server ${first}; server ${second}; }\n${location('proxy_pass http://two;')}`;
      return [await startProxy(broken, ''), await startProxy(`${upstream}\n${location(`${pass}\n`)}`, '')];
    },
  ],
  [
    'polling_cached',
    'nginx that caches everything',
    async () => {
      const { url } = await startStock();
      const caching = (lines: readonly string[]): Promise<string> => {
        const rules = 'proxy_cache all; proxy_cache_valid 200 1m; proxy_ignore_headers Cache-Control;';
        const directory = temporaryDirectory();
        // The workers of nginx run as another user.
        chmodSync(directory, 0o777);
        const path = `proxy_cache_path ${directory} keys_zone=all:1m use_temp_path=off;`;
        const location = `proxy_pass http://127.0.0.1:5000; ${[...upgrade, ...lines].join('\n')}`;
        return startProxy(`${path} server { ${tls} ${rules} location / { ${location} } }`, url);
      };
      return [await caching([]), await caching(mend('polling_cached'))];
    },
  ],
  [
    'gateway_error',
    'nginx in front of nothing',
    async () => {
      const url = await startFanfare();
      const lines = [...upgrade, host];
      return [
        await behindNginx(`http://localhost:${await freePort()}`, lines),
        await behindNginx(url, lines),
      ];
    },
  ],
  [
    'prefix_not_removed',
    'nginx that does not remove the prefix',
    async () => {
      const url = await startFanfare();
      const lines = [...upgrade, host].join('\n');
      const text = mend('prefix_not_removed').join('\n').replace('{', `{ ${lines}\n`);
      const broken = await behindNginx(url, [...upgrade, host], '/rt/');
      return [`${broken}/rt`, `${await startProxy(`server { ${tls} ${text} }`, url)}/rt`];
    },
  ],
  [
    'path_missing',
    'nginx without a location for Socket.IO',
    async () => {
      const { url } = await startStock();
      const text = mend('path_missing')
        .join('\n')
        .replace('{', `{ ${upgrade.join('\n')}\n`);
      const broken = `server { ${tls} location / { return 404; } location /app/ { proxy_pass http://127.0.0.1:5000; } }`;
      return [await startProxy(broken, url), await startProxy(`server { ${tls} ${text} }`, url)];
    },
  ],
  [
    'host_changed',
    'nginx that changes `Host`',
    async () => {
      const url = await startFanfare();
      const mended = [...upgrade, ...mend('host_changed')];
      return [await behindNginx(url, upgrade), await behindNginx(url, mended)];
    },
  ],
  [
    'cors_twice',
    'nginx that adds a second `Access-Control-Allow-Origin`',
    async () => {
      const { url } = await startStock({ cors: { origin: page } });
      const broken = [...upgrade, `add_header Access-Control-Allow-Origin ${page};`];
      const mended = [...broken, ...mend('cors_twice')];
      return [await behindNginx(url, broken), await behindNginx(url, mended), '--origin', page];
    },
  ],
  [
    'websocket_compressed',
    'a server that compresses websocket messages',
    async () => {
      const { url } = await startStock({ perMessageDeflate: true });
      return [url, await behindNginx(url, [...upgrade, ...mend('websocket_compressed')])];
    },
  ],
];

/** After these, there is nothing that speaks Socket.IO. */
const unreachable: ReadonlySet<FindingCode> = new Set([
  'gateway_error',
  'http_1_0',
  'path_missing',
  'prefix_not_removed',
]);

describe('faults that a line of nginx mends', () => {
  it.each(nginxFaults)(
    'the doctor finds %s with %s, and the lines that it prints mend it',
    async (code, _, start) => {
      const [broken, mended, ...args] = await start();
      const { level } = findings[code];
      const [before, after] = await Promise.all([examine(broken, ...args), examine(mended, ...args)]);
      expect(before).toMatchObject({
        code: level === 'warning' ? 0 : unreachable.has(code) ? 3 : 1,
        codes: expect.arrayContaining([code]) as string[],
      });
      expect(after).toMatchObject({ code: 0, codes: [] });
    },
  );
});

/** Servers and proxies that are broken in a way that nginx cannot be, or cannot mend. */
const otherFaults: readonly [
  FindingCode,
  string,
  () => Promise<readonly [url: string, ...args: string[]]>,
][] = [
  ['host_unknown', 'a name that does not exist', async () => ['http://name.invalid']],
  ['nothing_listens', 'a port without a server', async () => [`http://localhost:${await freePort()}`]],
  ['no_response', 'a server that never responds', async () => [await startTcp(() => {})]],
  ['connection_closed', 'a server that hangs up', async () => [await startTcp((end) => end())]],
  [
    'not_http',
    'a server that does not speak HTTP',
    async () => [await startTcp((end) => end('220 ftp\r\n'))],
  ],
  [
    'not_http',
    'HTTP where the URL says HTTPS',
    async () => [(await startFanfare()).replace('http:', 'https:')],
  ],
  ['certificate_bad', 'a certificate that nobody has signed', async () => [await startSelfSigned()]],
  ['path_missing', 'a server without Socket.IO', async () => [await startOtherServer()]],
  [
    'path_differs',
    'a URL with a path that the server does not have',
    async () => [`${(await startStock()).url}/rt`],
  ],
  [
    'redirected',
    'nginx that redirects to another name',
    async () => [
      await startProxy(
        `server { ${tls} location / { return 200; } location /socket.io/ { return 301 https://rt.example$request_uri; } }`,
        '',
      ),
    ],
  ],
  [
    'handshake_refused',
    'Fanfare without a key, behind a proxy',
    async () => [
      await behindNginx(await startFanfare(), [
        ...upgrade,
        host,
        'proxy_set_header X-Forwarded-For 203.0.113.7;',
      ]),
    ],
  ],
  ['protocol_old', 'Socket.IO 2', async () => [await startOld()]],
  [
    'polling_broken',
    'nginx that allows only GET',
    async () => [await behindNginx((await startStock()).url, [...upgrade, 'limit_except GET { deny all; }'])],
  ],
  ['upgrade_broken', 'nginx that sends websockets to another server', async () => [await startSplit()]],
  ['connection_lost', 'a server that stops after its first response', async () => [await startDying()]],
  [
    'websocket_off',
    'a server that has only polling',
    async () => [(await startStock({ transports: ['polling'] })).url],
  ],
  [
    'websocket_refused',
    'nginx that refuses websockets',
    async () => [
      await behindNginx(await startFanfare(), [...upgrade, host, 'if ($http_upgrade) { return 403; }']),
    ],
  ],
  [
    'websocket_hangs',
    'a proxy that swallows upgrades',
    async () => [await startBrokenProxy(await startFanfare(), { swallowsUpgrades: true })],
  ],
  [
    'websocket_buffered',
    'a proxy that buffers websockets',
    async () => [await startBrokenProxy((await startStock()).url, { buffersWebSockets: true })],
  ],
  [
    'websocket_cut',
    'a proxy that closes websockets',
    async () => [await startBrokenProxy((await startStock()).url, { cutsWebSockets: true })],
  ],
  [
    'compression_broken',
    'a proxy that removes the extensions of websockets',
    async () => [
      await startBrokenProxy((await startStock({ perMessageDeflate: { threshold: 0 } })).url, {
        changesHead: (head) => head.replace(/^sec-websocket-extensions:.*\r\n/im, ''),
      }),
    ],
  ],
  [
    'origin_refused',
    'Fanfare that does not know the origin of a page',
    async () => [await startFanfare(), '--origin', page],
  ],
  ['cors_missing', 'Socket.IO without CORS', async () => [(await startStock()).url, '--origin', page]],
  [
    'clock_wrong',
    'a server whose clock is an hour ahead',
    async () => [
      await startBrokenProxy(await startFanfare(), {
        changesHead: (head) =>
          head.replace(/^date:.*$/im, `Date: ${new Date(Date.now() + 3_600_000).toUTCString()}`),
      }),
    ],
  ],
  ['token_missing', 'a server that needs a token', async () => [await startFanfare({ key })]],
  ['token_missing', 'Socket.IO with a login', async () => [await startWithLogin()]],
  [
    'token_refused',
    'a token of another key',
    async () => [await startFanfare({ key }), '--token', await mint(`${key}, but another`)],
  ],
  [
    'token_refused',
    'Socket.IO with a login that refuses the token',
    async () => [await startWithLogin(), '--token', 'an-opaque-token'],
  ],
  [
    'token_expired',
    'a token that has expired',
    async () => [await startFanfare({ key }), '--token', withTimes({ exp: Date.now() / 1_000 - 3_600 })],
  ],
  [
    'token_early',
    'a token that is not valid yet',
    async () => [await startFanfare({ key }), '--token', withTimes({ nbf: Date.now() / 1_000 + 3_600 })],
  ],
];

describe('other faults', () => {
  it.each(otherFaults)('the doctor finds %s with %s', async (code, _, start) => {
    const [url, ...args] = await start();
    const report = await examine(url, ...args);
    expect(report).toMatchObject({ codes: expect.arrayContaining([code]) as string[] });
    expect(findings[code].level === 'warning' ? [0] : [1, 3]).toContain(report.code);
  });

  it('every finding has a test', () => {
    const tested = new Set([...nginxFaults, ...otherFaults].map(([code]) => code));
    // This one has its test below.
    tested.add('connect_refused');
    expect(new Set(Object.keys(findings))).toEqual(tested);
  });
});

describe('what the doctor says', () => {
  it('the doctor never prints a token, even if the server repeats it', async () => {
    const token = withTimes({ exp: Date.now() / 1_000 + 3_600 });
    const secret = 'opaque"token/with&signs'.padEnd(400, 'x');
    for (const given of [token, secret]) {
      const http = createServer((request, response) => {
        const { authorization = '' } = request.headers;
        if (request.url === '/') response.end(`Fanfare 0.1.0 ${given}`);
        else if (request.url?.startsWith('/messages')) response.writeHead(403).end(`no: ${authorization}`);
      });
      const io = new Server(http, { destroyUpgrade: false });
      io.use((socket, next) => {
        const { token: got } = socket.handshake.auth as { token: string };
        next(Object.assign(new Error(`${' '.repeat(150)}wrong: ${got}`), { data: { code: got } }));
      });
      const url = `http://localhost:${await startListening(http)}`;
      onTestFinished(() => io.close());
      for (const args of [[], ['--json']]) {
        const program = new Program(process.execPath, [fanfarePath, 'doctor', url, ...args], {
          FANFARE_TOKEN: given,
        });
        const { code, stdout, stderr } = await outcome(program);
        expect([code, stderr]).toEqual([1, '']);
        expect(stdout).toContain('[token]');
        expect(stdout).toContain('token_refused');
        const parts = [given.slice(0, 40), given.slice(-40), encodeURIComponent(given).slice(0, 40)];
        for (const part of parts) expect(stdout).not.toContain(part);
      }
    }
  });

  it('for a person, the doctor prints what it tried, what it saw, what to do, and the lines for nginx', async () => {
    const url = await behindNginx(await startFanfare(), [http11, host]);
    const { code, stdout } = await outcome(fanfare('doctor', url));
    expect(code).toBe(1);
    expect(stdout).toContain(`✗ websocket   The proxy does not pass on the upgrade to a websocket.
    Tried: GET /socket.io/?EIO=4&transport=websocket with Upgrade: websocket
    Saw:   HTTP 400: {"code":3,"message":"Bad request"}
    Do:    Pass on the headers \`Upgrade\` and \`Connection\`, over HTTP/1.1.
           Clients otherwise stay with polling, which is slow.
    nginx: proxy_http_version 1.1;
           proxy_set_header Upgrade $http_upgrade;
           proxy_set_header Connection "upgrade";
    Code:  websocket_not_upgraded
`);
    expect(stdout).toMatch(/^✓ polling {5}4 sessions over several connections each$/m);
    expect(stdout).toMatch(/\n1 problem, 0 warnings, \d+ fine\n$/);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('a token that is valid by our clock, but expired by the clock of the server, is named with both', async () => {
    const http = createServer((_request, response) => void response.end());
    const io = new Server(http);
    io.use((_socket, next) => next(Object.assign(new Error('expired'), { data: { code: 'token_expired' } })));
    const stock = `http://localhost:${await startListening(http)}`;
    onTestFinished(() => io.close());
    const url = await startBrokenProxy(stock, {
      changesHead: (head) =>
        head.replace(/^date:.*$/im, `Date: ${new Date(Date.now() + 10_800_000).toUTCString()}`),
    });
    const { codes, text } = await examine(url, '--token', withTimes({ exp: Date.now() / 1_000 + 3_600 }));
    expect(codes).toEqual(['clock_wrong', 'token_expired']);
    expect(text).toContain('the clock of the server is 3 hours ahead');
  });

  it('a server whose middleware is stuck is not said to have broken polling', async () => {
    expect(await examine(await startStuck())).toMatchObject({ code: 1, codes: ['connect_refused'] });
  });

  it('the doctor works with a certificate of an authority that --ca names', async () => {
    const url = await startSelfSigned();
    const { code, codes } = await examine(url, '--ca', join(certificates, 'cert.pem'));
    expect([code, codes]).toEqual([0, []]);
  });

  it('the wrong use of the doctor is refused with exit code 2', async () => {
    for (const args of [['ftp://x'], ['http://localhost:1', '--origin', 'app'], ['a', 'b']]) {
      const { code, stdout } = await outcome(fanfare('doctor', ...args));
      expect([args, code, stdout]).toEqual([args, 2, '']);
    }
  });

  it('docs/doctor.md lists every finding with what to do and the lines for nginx', () => {
    const text = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8');
    for (const [code, { title, mend: todo, nginx = [] }] of Object.entries(findings)) {
      const section = text.split(/^### /m).find((one) => one.startsWith(`\`${code}\``)) ?? '';
      const plain = section.replace(/\s+/g, ' ');
      expect([code, plain.includes(title), plain.includes(todo)]).toEqual([code, true, true]);
      expect(section).toContain(nginx.join('\n'));
    }
  });

  it('each check of the doctor is a file of its own', () => {
    const folder = new URL('../src/doctor/', import.meta.url);
    const isCheck = (file: string): boolean =>
      /: Check = \{$/m.test(readFileSync(new URL(file, folder), 'utf8'));
    const listed = readFileSync(new URL('checks.ts', folder), 'utf8').match(/^ {2}\w+,$/gm) ?? [];
    expect(readdirSync(folder).filter(isCheck)).toHaveLength(listed.length);
  });
});

/** A server that only speaks TCP. */
async function startTcp(onConnection: (end: (text?: string) => void) => void): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => onConnection((text = '') => void socket.end(text)));
    onTestFinished(() => void socket.destroy());
  });
  onTestFinished(() => void server.close());
  return `http://localhost:${await startListening(server)}`;
}

let certificates = '';

/** Socket.IO 4 over TLS. */
async function startSelfSigned(): Promise<string> {
  const pem = await selfSigned();
  certificates = temporaryDirectory();
  writeFileSync(join(certificates, 'cert.pem'), pem.slice(pem.indexOf('-----BEGIN CERTIFICATE')));
  const http = createServer((_request, response) => void response.end());
  const io = new Server(http);
  const secure = createTlsServer({ cert: pem, key: pem }, (socket) => void http.emit('connection', socket));
  const port = await startListening(secure);
  onTestFinished(async () => {
    secure.close();
    await io.close();
  });
  return `https://127.0.0.1:${port}`;
}

async function startOld(): Promise<string> {
  // It has no types.
  const oldSocketIo = createRequire(import.meta.url)('socket.io-2.5') as (http: HttpServer) => unknown;
  const http = createServer((_request, response) => response.writeHead(404).end());
  oldSocketIo(http);
  onTestFinished(() => void http.close());
  return `http://localhost:${await startListening(http)}`;
}

async function startWithLogin(): Promise<string> {
  const { url, io } = await startStock();
  io.use((_socket, next) => next(new Error('Authentication failed')));
  return url;
}

async function startStuck(): Promise<string> {
  const { url, io } = await startStock();
  io.use(() => {});
  return url;
}

/** Polling goes to one server, and websockets to another. */
async function startSplit(): Promise<string> {
  const [polling, websockets] = [(await startStock()).url, (await startStock()).url].map(
    (url) => new URL(url).port,
  );
  const map = `map $http_upgrade $server_of { default 127.0.0.1:${websockets}; '' 127.0.0.1:${polling}; }`;
  return startProxy(
    `${map}\nserver { ${tls} location / { ${upgrade.join(' ')} proxy_pass http://$server_of; } }`,
    '',
  );
}

/** Responds once, and then nothing listens any more. */
async function startDying(): Promise<string> {
  const http = createServer((_request, response) => {
    http.close();
    response.end('hello');
  });
  return `http://localhost:${await startListening(http)}`;
}

async function mint(secret: string): Promise<string> {
  const { stdout } = await outcome(fanfare('token', 'mint', 'ann', '--key', secret));
  return stdout.trim();
}

/** A token with these times, not signed. */
function withTimes(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub: 'ann', ...claims })}.${'s'.repeat(43)}`;
}
