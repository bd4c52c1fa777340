import { formatHostPort, type HostPort } from '../../nodes/host-port.ts';

/** The Redis servers that a URL names. */
export interface RedisServers {
  /**
   * `single`: one server. `sentinel`: the hosts are Sentinels, which know the primary of the group `group`.
   * `cluster`: the hosts are some nodes of a Redis Cluster.
   */
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly hosts: readonly HostPort[];
  readonly usesTls: boolean;
  readonly user?: string;
  readonly password?: string;
  /** How Sentinels are logged in to, if not without a password. */
  readonly sentinelUser?: string;
  readonly sentinelPassword?: string;
  readonly db: number;
  readonly group?: string;
}

const form =
  /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const hostForm = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;

/**
 * Parses the URL of Redis:
 *
 * - `redis://[[user]:password@]host[:port][/db]`
 * - `redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/group[/db][?parameters]`
 * - `redis+cluster://[[user]:password@]host[:port][,host[:port]…]`
 *
 * With `rediss` instead of `redis`, connections use TLS. User and password are those of Redis. Sentinels have
 * others, or none: the parameters `sentinelUser=USER&sentinelPassword=PASSWORD`.
 *
 * @throws Error that says what is wrong. Its message has no password
 */
export function parseRedisUrl(url: string): RedisServers {
  const [, scheme, kind = 'single', login, hosts = '', path = '', query] = form.exec(url) ?? [];
  if (scheme === undefined) {
    throw new Error(
      'The URL of Redis must be redis://host:port, redis+sentinel://host:port,host:port/group or redis+cluster://host:port,host:port (rediss for TLS).',
    );
  }
  if (query !== undefined && kind !== 'sentinel')
    throw new Error('Only a redis+sentinel:// URL can have parameters after a question mark.');
  const port = kind === 'sentinel' ? 26_379 : 6_379;
  const common = {
    hosts: hosts.split(',').map((host) => parseHost(host, port)),
    usesTls: scheme === 'rediss',
    ...parseLogin(login),
  };
  switch (kind) {
    case 'sentinel': {
      const [group = '', db = ''] = path.split('/');
      if (group === '')
        throw new Error('The URL of a Sentinel must end with the name of the group: /mymaster.');
      return { kind, ...common, ...parseSentinelLogin(query), group: decode(group), db: parseDb(db) };
    }
    case 'cluster':
      if (path !== '' && path !== '0') throw new Error('Redis Cluster has only the database 0.');
      return { kind, ...common, db: 0 };
    default:
      if (common.hosts.length > 1) {
        throw new Error(
          'A redis:// URL has one host. For several, use redis+sentinel:// or redis+cluster://.',
        );
      }
      return { kind: 'single', ...common, db: parseDb(path) };
  }
}

/** The URL for people: without user and password. */
export function describeServers({ kind, hosts, usesTls, group, db }: RedisServers): string {
  const scheme = `${usesTls ? 'rediss' : 'redis'}${kind === 'single' ? '' : `+${kind}`}`;
  const path = [...(group === undefined ? [] : [group]), ...(db === 0 ? [] : [db])].map((part) => `/${part}`);
  return `${scheme}://${hosts.map(formatHostPort).join(',')}${path.join('')}`;
}

function parseHost(text: string, defaultPort: number): HostPort {
  const [, host, port] = hostForm.exec(text) ?? [];
  if (host === undefined || Number(port ?? defaultPort) > 65_535) {
    throw new Error(`The URL of Redis has '${text}' where a host and port must be.`);
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port ?? defaultPort) };
}

function parseLogin(login: string | undefined): { user?: string; password?: string } {
  if (login === undefined || login === '') return {};
  const [user = '', ...rest] = login.split(':');
  if (rest.length === 0) {
    throw new Error('The URL of Redis has a user without a password: write user:password@, or :password@.');
  }
  const password = decode(rest.join(':'));
  return user === '' ? { password } : { user: decode(user), password };
}

function parseSentinelLogin(query = ''): Pick<RedisServers, 'sentinelUser' | 'sentinelPassword'> {
  const given = new Map<string, string>();
  for (const parameter of query === '' ? [] : query.split('&')) {
    const [name = '', ...value] = parameter.split('=');
    // Not shown: it may be a part of a password.
    if ((name !== 'sentinelUser' && name !== 'sentinelPassword') || value.length === 0)
      throw new Error(
        'The URL of Redis has an unknown parameter. It can have sentinelUser=USER and sentinelPassword=PASSWORD. Write an & in a password as %26.',
      );
    given.set(name, decode(value.join('=')));
  }
  const [sentinelUser, sentinelPassword] = [given.get('sentinelUser'), given.get('sentinelPassword')];
  if (sentinelUser !== undefined && sentinelPassword === undefined)
    throw new Error('The URL of Redis has a sentinelUser without a sentinelPassword.');
  return {
    ...(sentinelUser === undefined ? {} : { sentinelUser }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
  };
}

function parseDb(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,4}$/.test(text))
    throw new Error(`The URL of Redis has '${text}' where a database number must be.`);
  return Number(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('The URL of Redis has a % that does not encode a character: write %25.');
  }
}
