import type { Values } from './constants.ts';
import { audienceOf, wantedShare, type Following } from './demand.ts';
import { firstFull, frameSizeNeeded, latencyMs, plan, type Plan } from './plan.ts';
import { stormOfAll, stormOfOneNode, type Storm } from './storm.ts';
import type { Hardware, Kind, Workload } from './workload.ts';

export const sizes: readonly number[] = [10_000, 100_000, 1_000_000, 10_000_000];
const logCounts = [1, 2, 4, 16];
const followings: Readonly<Record<Following, string>> = {
  everything: 'as today',
  'one log': 'nodes of one log',
  wanted: 'only wanted frames',
};

type Row = readonly [name: string, cell: (workload: Workload, plan: Plan) => string];

/** The table of one kind: a column for each number of clients. */
export function renderKind(kind: Kind, clients: readonly number[], hardware: Hardware, v: Values): string {
  const columns = clients.map((count) => {
    const workload = kind.workload(count);
    return { workload, plan: plan(workload, { logs: 1, following: 'everything' }, hardware, v) };
  });
  const rows = rowsOf(hardware, v).map(([name, cell]) =>
    [name].concat(columns.map((column) => cell(column.workload, column.plan))),
  );
  const table = markdownTable([[`${kind.name}: clients`, ...clients.map(round)], ...rows]);
  return `${kind.name}: ${kind.about}\n\n${table}\n`;
}

function rowsOf(hardware: Hardware, v: Values): readonly Row[] {
  return [
    ['messages/s', ({ publishesPerSecond }) => round(publishesPerSecond)],
    ['deliveries/s', (w) => round(w.publishesPerSecond * audienceOf(w))],
    ['nodes', (_, { needed }) => round(needed.nodes)],
    [
      '… for CPU, memory, network',
      (_, { needed: n }) => [n.byCpu, n.byMemory, n.byNetwork].map(round).join(', '),
    ],
    ['machines', (_, { needed }) => round(Math.ceil(needed.nodes / hardware.coresPerMachine))],
    ['following, of a node', (_, { node }) => percent(node.fixedCpu)],
    ['frames that a node needs', (w, { layout }) => percent(wantedShare(w, layout.nodes))],
    ['Redis CPU', (_, { log }) => percent(log.cpu)],
    ['… sending frames to nodes', (_, { log }) => percent(log.framesCpu)],
    ['… heartbeats', (_, { log }) => percent(log.heartbeatCpu)],
    ['Redis memory, GiB', (_, { log }) => round(log.memoryBytes / 2 ** 30)],
    ['Redis sends, Gbit/s', (_, { log }) => round((log.bytesOutPerSecond * 8) / 1e9)],
    ['frame size that would be enough', (w, p) => frameSize(w, p, hardware, v)],
    ['acknowledgement, ms', (w, p) => round(latencyMs(w, p, hardware, v).acknowledgement)],
    ['last delivery, ms', (w, p) => round(latencyMs(w, p, hardware, v).lastDelivery)],
    ['one node killed', (w, { layout }) => describeStorm(stormOfOneNode(w, layout, v))],
    ['all clients reconnect', (w, { layout }) => describeStorm(stormOfAll(w, layout, v))],
    ['fullest', (_, { parts: [first] }) => (first ? `${first.name} ${percent(first.fullness)}` : none)],
  ];
}

/** How many clients there can be with several logs, and which part is full then. */
export function renderLogs(kinds: readonly Kind[], hardware: Hardware, v: Values): string {
  const header = ['logs', ...logCounts.map(String)];
  const cell = (kind: Kind, logs: number, following: Following): string => {
    const full = firstFull(kind.workload, { logs, following }, hardware, v);
    return full ? `${round(full.clients)}: ${full.part}` : none;
  };
  const rows = kinds.flatMap((kind) =>
    Object.entries(followings).map(([following, about]) =>
      [`${kind.name}, ${about}`].concat(logCounts.map((logs) => cell(kind, logs, following as Following))),
    ),
  );
  return `${markdownTable([header, ...rows])}\n`;
}

function frameSize(workload: Workload, { layout }: Plan, hardware: Hardware, v: Values): string {
  const needed = frameSizeNeeded(workload, layout, hardware, v);
  if (!needed) return none;
  return needed.delayMs === 0 ? `${needed.messages}` : `${needed.messages} (${round(needed.delayMs)} ms)`;
}

function describeStorm({ seconds, first, readsRedis }: Storm): string {
  return `${round(seconds)} s, ${first}${readsRedis ? ', reads Redis' : ''}`;
}

const none = '–';

/** Three digits are more than the model knows. */
export function round(value: number): string {
  if (value === Infinity) return '∞';
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(2))} M`;
  if (value >= 100) return Number(value.toPrecision(2)).toLocaleString('en');
  return String(Number(value.toPrecision(2)));
}

function percent(share: number): string {
  return `${round(share * 100)} %`;
}

export function markdownTable([header = [], ...rows]: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(header), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}
