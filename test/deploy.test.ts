import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createServer, type ServerOptions } from '@fanfare/server';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../bench/src/free-port.ts';
import { fanfarePath, Program, temporaryDirectory } from '../packages/cli/test/harness.ts';
import { secret, tokenFor } from '../packages/server/test/access/tokens.ts';
import { connectClient } from '../packages/server/test/harness.ts';
import { secret as webhookSecret } from '../packages/server/test/webhooks/test-receiver.ts';
import { RedisServer } from '../packages/server/test/redis/redis-server.ts';
import { readText } from './repository.ts';
import { sleep, until } from './waits.ts';

const folder = fileURLToPath(new URL('../deploy/', import.meta.url));
const alertsPath = join(folder, 'prometheus/alerts.yaml');

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly Target[] }[];
}

/** What a query finds: each series with its labels and its value. */
type Found = readonly {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: [number, string];
}[];

/** A query, and the labels that the result must have. */
interface Query {
  readonly name: string;
  readonly expr: string;
  readonly labels: readonly string[];
}

/** The queries of the dashboard, with the values that Grafana would put into them. */
function dashboardQueries(): readonly Query[] {
  const { panels } = JSON.parse(readText('deploy/grafana/fanfare.json')) as Dashboard;
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({
      name: `panel ${title}`,
      expr: expr
        .replaceAll('$job', 'fanfare')
        .replaceAll('$instance', '.*')
        .replaceAll('$__rate_interval', '10s'),
      labels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label),
    })),
  );
}

/** The left sides of the conditions of the alerts: what is compared with a limit must be there. */
function alertQueries(rules: readonly Rule[]): readonly Query[] {
  return rules.map(({ name, query, annotations }) => {
    const [, expr] = /^([^]*)\s(?:>|<|==|!=)\s-?[\d.e+]+$/.exec(query.trim()) ?? [];
    if (expr === undefined) throw new Error(`the condition of ${name} does not end in a limit: ${query}`);
    const labels = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label);
    return { name: `alert ${name}`, expr, labels };
  });
}

interface Rule {
  readonly name: string;
  readonly query: string;
  readonly health: string;
  readonly annotations: { readonly summary: string };
}

/** A Prometheus that scrapes servers every second. */
class Prometheus {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async start(targets: readonly string[]): Promise<Prometheus> {
    const directory = temporaryDirectory();
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [alertsPath],
      scrape_configs: [{ job_name: 'fanfare', static_configs: [{ targets }] }],
    };
    const file = join(directory, 'prometheus.yaml');
    writeFileSync(file, JSON.stringify(config));
    const port = await freePort();
    const program = new Program('prometheus', [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    await program.says('Server is ready to receive web requests', 'stderr');
    return new Prometheus(`http://127.0.0.1:${port}`);
  }

  async query(expr: string): Promise<Found> {
    const { result } = await this.#get<{ result: Found }>(`query?query=${encodeURIComponent(expr)}`);
    return result;
  }

  async rules(): Promise<readonly Rule[]> {
    const { groups } = await this.#get<{ groups: readonly { rules: readonly Rule[] }[] }>('rules');
    return groups.flatMap(({ rules }) => rules);
  }

  /** The labels of a metric, with the values that they have. Undefined if there is no such metric. */
  async labelsOf(metric: string): Promise<ReadonlyMap<string, ReadonlySet<string>> | undefined> {
    const series = await this.#get<readonly Record<string, string>[]>(`series?match[]=${metric}`);
    if (series.length === 0) return undefined;
    const labels = new Map<string, Set<string>>();
    for (const one of series)
      for (const [label, value] of Object.entries(one))
        labels.set(label, (labels.get(label) ?? new Set()).add(value));
    return labels;
  }

  /** The scrape errors. */
  async errors(): Promise<readonly string[]> {
    const { activeTargets } = await this.#get<{ activeTargets: readonly { lastError: string }[] }>('targets');
    return activeTargets.map(({ lastError }) => lastError).filter((error) => error !== '');
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const { data, error } = (await response.json()) as { data?: T; error?: string };
    if (data === undefined) throw new Error(`${path}: ${error}`);
    return data;
  }
}

/** What is wrong with a query: metrics, labels and values that do not exist, or no data. */
async function faultsOf({ name, expr, labels }: Query, prometheus: Prometheus): Promise<readonly string[]> {
  const faults: string[] = [];
  const known = new Set<string>();
  for (const [, metric = '', matchers = ''] of expr.matchAll(
    /\b([a-z]\w*_\w+|up)\b(?!\()(?:\{([^}]*)\})?/g,
  )) {
    if (/^(?:label|histogram|predict|group)_/.test(metric)) continue;
    const found = await prometheus.labelsOf(metric);
    if (!found) {
      faults.push(`${name}: there is no metric ${metric}`);
      continue;
    }
    for (const label of found.keys()) known.add(label);
    for (const [, label = '', operator, text = ''] of matchers.matchAll(/(\w+)\s*(=~|!=|=)\s*"([^"]*)"/g)) {
      const values = found.get(label);
      const wanted = operator === '=~' && text !== '.*' ? text.split('|') : text === '.*' ? [] : [text];
      const missing = wanted.filter((value) => !values?.has(value));
      if (!values || missing.length > 0) faults.push(`${name}: ${metric} has no ${label} ${missing.join()}`);
    }
  }
  for (const [, list = ''] of expr.matchAll(/\b(?:by|on|group_left)\s*\(([^)]*)\)/g))
    for (const label of list.split(',').map((one) => one.trim()))
      if (!known.has(label)) faults.push(`${name}: there is no label ${label}`);
  const found = await prometheus.query(expr);
  if (!found.some(({ value }) => Number.isFinite(Number(value[1])))) faults.push(`${name}: no data: ${expr}`);
  for (const label of labels)
    if (!found.some(({ metric }) => metric[label] !== undefined))
      faults.push(`${name}: the result has no label ${label}`);
  return faults;
}

async function startServers(): Promise<readonly { readonly url: string; readonly target: string }[]> {
  const redis = await RedisServer.start();
  const quiet = { warn: (): void => {}, error: (): void => {} };
  const webhook = { url: 'https://receiver.example', on: ['occupied'], secret: webhookSecret } as const;
  const kinds: readonly ServerOptions[] = [
    { data: join(temporaryDirectory(), 'data'), key: secret },
    { memory: true, rules: [{ match: 'hooked/*', webhook }] },
    { redis: redis.url },
    { redis: redis.url },
  ];
  const running = [];
  for (const options of kinds) {
    const server = createServer({ port: 0, adminListen: '127.0.0.1:0', logger: quiet, ...options });
    const url = await server.start();
    onTestFinished(() => server.stop());
    running.push({ url, target: new URL(server.adminUrl ?? '').host.replace('localhost', '127.0.0.1') });
  }
  return running;
}

/** Messages, a duplicate, and refusals. */
async function makeTraffic(url: string, token: string): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  for (const topic of ['news', 'news', 'nothing/here']) {
    const body = JSON.stringify({ topic, message: 1, id: 'the same' });
    await (await fetch(`${url}/publish`, { method: 'POST', headers, body })).text();
  }
  const body = JSON.stringify({ topic: 'news', message: 1 });
  await (await fetch(`${url}/publish`, { method: 'POST', headers, body })).text();
}

describe('deploy', () => {
  let token = '';
  beforeAll(async () => {
    token = await tokenFor({ admin: true });
  });

  it('promtool accepts the alerts and the configuration, and their unit tests pass', () => {
    const promtool = (...args: string[]): string =>
      execFileSync('promtool', args, { cwd: join(folder, 'prometheus'), encoding: 'utf8' });
    expect(promtool('check', 'rules', 'alerts.yaml')).toContain('SUCCESS');
    expect(promtool('check', 'config', 'prometheus.yaml')).toContain('SUCCESS');
    expect(promtool('test', 'rules', 'alerts.test.yaml')).toContain('SUCCESS');
  });

  it('docs/observability.md describes each metric and each alert that exist, and the unit tests name each alert', async () => {
    const document = readText('docs/observability.md');
    const alerts = [...readText('deploy/prometheus/alerts.yaml').matchAll(/alert: (\w+)/g)].map(
      ([, name = '']) => name,
    );
    const rows = (pattern: RegExp): string[] =>
      [...document.matchAll(pattern)].map(([, name = '']) => name).toSorted();
    expect(rows(/^\| `(Fanfare\w+)`/gm)).toEqual(alerts.toSorted());
    const tests = readText('deploy/prometheus/alerts.test.yaml');
    expect(alerts.filter((name) => !tests.includes(`alertname="${name}"`))).toEqual([]);
    const names = new Set<string>();
    for (const { target } of await startServers()) {
      const text = await (await fetch(`http://${target}/metrics`)).text();
      for (const [, name = ''] of text.matchAll(/^# TYPE (\w+)/gm)) names.add(name);
    }
    expect(rows(/^\| `((?:fanfare|process|nodejs)_\w+)/gm)).toEqual([...names].toSorted());
  });

  it('the commands of docs/observability.md print what it says, and make a token with which Prometheus may scrape', async () => {
    const document = readText('docs/observability.md');
    const directory = temporaryDirectory();
    const [, readyz] = /^\$ curl http:\/\/localhost:5000\/readyz\n(.*)$/m.exec(document) ?? [];
    const open = createServer({ port: 0, data: join(directory, 'data') });
    onTestFinished(() => open.stop());
    const url = await open.start();
    expect(await (await fetch(`${url}/readyz`)).text()).toBe(readyz);
    const [, command = ''] = /^\$ fanfare (token mint .*) > \S+$/m.exec(document) ?? [];
    const keyFile = join(directory, 'secret');
    writeFileSync(keyFile, secret, { mode: 0o600 });
    const mint = new Program(process.execPath, [
      fanfarePath,
      ...command.replace('secret', keyFile).split(' '),
    ]);
    expect(await mint.exitCode).toBe(0);
    const withKey = createServer({ port: 0, keyFile });
    onTestFinished(() => withKey.stop());
    const headers = { authorization: `Bearer ${mint.stdout.trim()}` };
    expect((await fetch(`${await withKey.start()}/metrics`, { headers })).status).toBe(200);
  });

  it('a Prometheus that scrapes servers has data for each query of the dashboard and of the alerts', async () => {
    const servers = await startServers();
    for (const { url } of servers) {
      const client = await connectClient(url, 'websocket', { auth: { token } });
      await client.emitWithAck('subscribe', { topic: 'news' });
    }
    const prometheus = await Prometheus.start(servers.map(({ target }) => target));
    const rules = await prometheus.rules();
    const queries = [...dashboardQueries(), ...alertQueries(rules)];
    expect([rules.length > 15, queries.length > 60]).toEqual([true, true]);
    let faults: readonly string[] = [];
    // Rates need time, and Prometheus tells nobody when it has scraped.
    const step = (): Promise<void> => sleep(200);
    await until(
      'each query has data',
      async () => {
        await Promise.all(servers.map(({ url }) => makeTraffic(url, token)));
        faults = (await Promise.all(queries.map((query) => faultsOf(query, prometheus)))).flat();
        return faults.length === 0;
      },
      { step, soFar: () => faults, ms: 60_000 },
    );
    expect(await prometheus.errors()).toEqual([]);
    expect((await prometheus.rules()).filter(({ health }) => health !== 'ok')).toEqual([]);
    // The check detects what is not there.
    const wrong = [
      'sum(fanfare_no_such_metric)',
      'sum by (no_such_label) (fanfare_ready)',
      'fanfare_ready{check="nothing"}',
      'fanfare_gaps_total > 1e9',
    ];
    const found = await Promise.all(
      wrong.map((expr) => faultsOf({ name: 'wrong', expr, labels: [] }, prometheus)),
    );
    expect(found.map((some) => some.length > 0)).toEqual([true, true, true, true]);
  });
});
