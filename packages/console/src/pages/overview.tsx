import type { Stats } from '@fanfare/protocol';
import { useMemo, useSyncExternalStore } from 'react';
import type uPlot from 'uplot';
import { formatBytes, formatCount, formatMs, formatRate, formatSpan, formatTime } from '../format.ts';
import { remarksOn } from '../health-remarks.ts';
import { Chart, type Series } from '../parts/chart.tsx';
import { NodesTable } from '../parts/nodes-table.tsx';
import { Notice } from '../parts/notice.tsx';
import { usePageContext } from '../page-context.ts';
import type { Sample } from '../stats-samples.ts';

type Figure = Exclude<keyof Sample, 'time'>;

interface Card {
  readonly title: string;
  readonly unit?: string;
  readonly figures: readonly Figure[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  readonly steps?: readonly number[];
}

const one: readonly Series[] = [{ label: 'now', ink: '1' }];

const powersOfTwo = Array.from({ length: 45 }, (_, power) => 2 ** power);
const wholeNumbers = [1, 2, 5]
  .flatMap((digit) => Array.from({ length: 9 }, (_, power) => digit * 10 ** power))
  .toSorted((a, b) => a - b);

const cards: readonly Card[] = [
  { title: 'Publishes', unit: 'per second', figures: ['publishes'], series: one, format: formatRate },
  { title: 'Deliveries', unit: 'per second', figures: ['deliveries'], series: one, format: formatRate },
  { title: 'Connections', figures: ['connections'], series: one, format: formatCount, steps: wholeNumbers },
  { title: 'Topics', figures: ['topics'], series: one, format: formatCount, steps: wholeNumbers },
  {
    title: 'Waiting for slow connections',
    figures: ['bytesWaiting'],
    series: one,
    format: formatBytes,
    steps: powersOfTwo,
  },
  {
    title: 'Event-loop delay',
    figures: ['delayP99', 'delayP50', 'delayMax'],
    series: [
      { label: '99th percentile', ink: '1' },
      { label: 'median', ink: '2' },
      { label: 'maximum', ink: '3' },
    ],
    format: formatMs,
  },
  { title: 'Log', figures: ['logBytes'], series: one, format: formatBytes, steps: powersOfTwo },
];

export function OverviewPage() {
  const { history } = usePageContext();
  const { samples, latest, error } = useSyncExternalStore(history.onChange, () => history.view);
  return (
    <>
      <div className="title">
        <h1>Overview</h1>
        <p className="quiet">The last 15 minutes, while this page was open.</p>
      </div>
      {latest ? (
        <>
          <Health stats={latest} error={error} />
          {latest.nodes && <NodesTable nodes={latest.nodes} />}
          <div className="charts">
            {cards.map((card) => (
              <ChartCard key={card.title} card={card} samples={samples} />
            ))}
          </div>
        </>
      ) : (
        error !== undefined && <Notice kind="bad">{error}</Notice>
      )}
    </>
  );
}

function Health({ stats, error }: { readonly stats: Stats; readonly error: string | undefined }) {
  const { version, startedAt, time, subscriptions, log } = stats;
  return (
    <section className="card" aria-label="Server health">
      <ul className="health">
        {remarksOn(stats, error).map(({ level, text }) => (
          <li key={text} data-level={level}>
            {text}
          </li>
        ))}
      </ul>
      <dl className="facts across number">
        <Fact name="Version" value={version} />
        <Fact name="Uptime" value={formatSpan(time - startedAt)} title={`since ${formatTime(startedAt)}`} />
        <Fact name="Subscriptions" value={formatCount(subscriptions)} />
        <Fact name="Published" value={formatCount(stats.publishes)} />
        <Fact name="Delivered" value={formatCount(stats.deliveries)} />
        <Fact name="Log" value={log.kind === 'disk' ? 'on disk' : 'in memory'} />
      </dl>
    </section>
  );
}

interface FactProps {
  readonly name: string;
  readonly value: string;
  readonly title?: string;
}

function Fact({ name, value, title }: FactProps) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function ChartCard({ card, samples }: { readonly card: Card; readonly samples: readonly Sample[] }) {
  const { title, unit, figures, series, format, steps } = card;
  const data = useMemo(
    (): uPlot.AlignedData => [
      samples.map(({ time }) => time / 1_000),
      ...figures.map((figure) => samples.map((sample) => sample[figure])),
    ],
    [samples, figures],
  );
  const current = figures.map((figure) => samples.at(-1)?.[figure] ?? null);
  const said = current[0] === null || current[0] === undefined ? '–' : format(current[0]);
  const full = unit === undefined ? title : `${title} ${unit}`;
  return (
    <section className="card chart-card" aria-label={full}>
      <h2>{title}</h2>
      <div className="row spread">
        <p className="figure">
          {said} {unit !== undefined && <small>{unit}</small>}
        </p>
        {series.length > 1 && (
          <ul className="keys">
            {series.map(({ label, ink }) => (
              <li key={label} data-ink={ink}>
                {label}
              </li>
            ))}
          </ul>
        )}
      </div>
      <Chart
        label={`${full}, over the last 15 minutes; now ${said}`}
        series={series}
        data={data}
        format={format}
        steps={steps}
      />
    </section>
  );
}
