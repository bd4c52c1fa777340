import type { FigureName, Figures } from './load/job.ts';
import type { ScenarioResult, SystemResult } from './run.ts';

interface FigureKind {
  /** The title of the column, with its unit. */
  readonly title: string;
  readonly digits: number;
}

const figureKinds: Readonly<Record<FigureName, FigureKind>> = {
  cpuUsPerDelivery: { title: 'CPU per delivery, µs', digits: 2 },
  redisCpuUsPerDelivery: { title: 'Redis, µs', digits: 2 },
  publishersCpuUsPerDelivery: { title: "publishers' node, µs", digits: 2 },
  nodesCpuUsPerDelivery: { title: 'CPU of both nodes per delivery, µs', digits: 2 },
  redisCpuUsPerPublish: { title: 'Redis per publish, µs', digits: 1 },
  deliveriesPerSecond: { title: 'deliveries/s', digits: 0 },
  publishesPerSecond: { title: 'publishes/s', digits: 0 },
  publishesPerCpuSecond: { title: 'publishes per CPU second', digits: 0 },
  messagesPerSecond: { title: 'messages/s', digits: 0 },
  messagesPerCpuSecond: { title: 'messages per CPU second', digits: 0 },
  cpuUsPerMessage: { title: 'CPU per message, µs', digits: 2 },
  answerP50Ms: { title: 'answer p50, ms', digits: 2 },
  answerP99Ms: { title: 'p99, ms', digits: 2 },
  loopDelayP99Ms: { title: 'event loop late p99, ms', digits: 1 },
  loopDelayMaxMs: { title: 'at most, ms', digits: 1 },
  loopDelayOwnMaxMs: { title: 'at most by itself, ms', digits: 1 },
  medianP50Ms: { title: 'median subscriber p50, ms', digits: 2 },
  medianP99Ms: { title: 'p99, ms', digits: 2 },
  lastP50Ms: { title: 'last subscriber p50, ms', digits: 2 },
  lastP99Ms: { title: 'p99, ms', digits: 2 },
  lastP999Ms: { title: 'p99.9, ms', digits: 2 },
  kibPerConnection: { title: 'KiB per connection', digits: 1 },
  peakMib: { title: 'peak, MiB', digits: 0 },
  peakKibPerConnection: { title: 'KiB each', digits: 0 },
  healthyP50Ms: { title: 'others served p50, ms', digits: 1 },
  healthyP99Ms: { title: 'p99, ms', digits: 0 },
  healthyMaxMs: { title: 'at most, ms', digits: 0 },
  healthyFailed: { title: 'not served', digits: 0 },
  connectionsPerSecond: { title: 'connections/s', digits: 0 },
  cpuUsPerConnection: { title: 'CPU per connection, µs', digits: 0 },
  serverBusyPercent: { title: 'server busy, %', digits: 0 },
  serverWaitingPercent: { title: 'waiting, %', digits: 0 },
  loadBusyPercent: { title: 'load busy, %', digits: 0 },
};

const nothing = '–';

/**
 * Renders the median of the rounds for each figure, with the minimum and the maximum in parentheses. The
 * first figure also has its ratio to the reference system.
 *
 * @param absent - systems that do not support the scenario
 */
export function renderScenario(
  { id, about, figures, reference, systems }: ScenarioResult,
  { markdown, absent }: { readonly markdown: boolean; readonly absent: readonly string[] },
): string {
  const [first] = figures;
  const base = systems.find(({ system }) => system === reference);
  const titles = figures.map((figure) => figureKinds[figure].title);
  const header = ['system', ...titles.slice(0, 1), `to ${reference}`, ...titles.slice(1)];
  const rows = systems.map((result) => {
    const [one = nothing, ...others] = figures.map((figure) => cell(result, figure));
    return [result.system, one, first ? ratio(result, base, first) : nothing, ...others];
  });
  const blanks = absent.map((system) => [system, ...header.slice(1).map(() => nothing)]);
  const table = [header, ...rows, ...blanks];
  return renderTable(id, about, table, markdown);
}

/** @param rows - the first one is the header */
export function renderTable(id: string, about: string, rows: readonly string[][], markdown: boolean): string {
  return markdown
    ? `### \`${id}\`\n\n${about}\n\n${markdownTable(rows)}\n`
    : `${id}: ${about}\n${textTable(rows)}\n`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

function cell(result: SystemResult, figure: FigureName): string {
  if (result.failure !== undefined) return 'failed';
  const values = valuesOf(result.rounds, figure);
  if (values.length === 0) return nothing;
  return describeValues(values, figureKinds[figure].digits);
}

/** The median of some values, with the minimum and the maximum in parentheses. */
export function describeValues(values: readonly number[], digits: number): string {
  const text = format(median(values), digits);
  if (values.length === 1) return text;
  return `${text} (${format(Math.min(...values), digits)}–${format(Math.max(...values), digits)})`;
}

function ratio(result: SystemResult, base: SystemResult | undefined, figure: FigureName): string {
  const ours = median(valuesOf(base?.rounds ?? [], figure));
  const theirs = median(valuesOf(result.rounds, figure));
  if (result.failure !== undefined || Number.isNaN(theirs / ours)) return nothing;
  return `${format(theirs / ours, 2)} ×`;
}

function valuesOf(rounds: readonly Figures[], figure: FigureName): number[] {
  return rounds.map((figures) => figures[figure]).filter((value) => value !== undefined);
}

function format(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function markdownTable([header = [], ...rows]: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = header.map((_, index) => (index === 0 ? '---' : '--:'));
  return [header, rule, ...rows].map(line).join('\n');
}

function textTable(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((text, column) =>
          column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}
