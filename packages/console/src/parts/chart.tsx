import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { historyMs } from '../stats-samples.ts';
import { useShade } from '../theme.ts';

export interface Series {
  readonly label: string;
  readonly ink: '1' | '2' | '3';
}

interface Props {
  /** The text that a screen reader says instead of the chart. */
  readonly label: string;
  readonly series: readonly Series[];
  /** The times in seconds, then a column for each series. */
  readonly data: uPlot.AlignedData;
  readonly format: (value: number) => string;
  /** The allowed distances between grid lines. Without them, uPlot chooses. */
  readonly steps?: readonly number[] | undefined;
}

const height = 140;

const minutes = [60, 120, 180, 300];

/** A line chart of the last minutes. */
export function Chart({ label, series, data, format, steps }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const latest = useRef(data);
  const shade = useShade();
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const made = new uPlot(
      { ...optionsFor(series, format, steps, (name) => inkOf(element, name)), width: element.clientWidth },
      latest.current,
      element,
    );
    chart.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
    // The colours depend on the shade, so a new shade needs a new chart.
  }, [series, format, steps, shade]);
  useEffect(() => {
    latest.current = data;
    chart.current?.setData(data);
  }, [data]);
  return (
    <div className="chart" ref={host} role="img" aria-label={label}>
      {['1', '2', '3', 'axis', 'grid'].map((name) => (
        <span key={name} data-ink={name} />
      ))}
    </div>
  );
}

/** Reads a colour of the style sheet. A canvas cannot use CSS variables. */
function inkOf(element: Element, name: string): string {
  const probe = element.querySelector(`[data-ink='${name}']`);
  return probe ? getComputedStyle(probe).color : 'gray';
}

function optionsFor(
  series: readonly Series[],
  format: (value: number) => string,
  steps: readonly number[] | undefined,
  ink: (name: string) => string,
): Omit<uPlot.Options, 'width'> {
  const axis: uPlot.Axis = {
    stroke: ink('axis'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: ink('grid'), width: 1 },
    ticks: { show: false },
  };
  return {
    height,
    padding: [8, 10, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    legend: { show: false },
    scales: {
      x: { time: true, range: (_chart, min, max) => [max - spanOf(max - min), max] },
      y: { range: (_chart, _min, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        values: (_chart, times) => times.map(clock),
        space: 60,
        incrs: minutes,
      },
      {
        ...axis,
        size: 58,
        values: (_chart, values) => values.map(format),
        space: 28,
        ...(steps && { incrs: [...steps] }),
      },
    ],
    series: [
      {},
      ...series.map((one, at) => ({
        label: one.label,
        stroke: ink(one.ink),
        width: 1.5,
        points: { show: false },
        ...(at === 0 && series.length === 1 && { fill: faint(ink(one.ink)) }),
      })),
    ],
  };
}

/** The time span of the chart in seconds: that of the data, but at least 2 and at most 15 minutes. */
function spanOf(seconds: number): number {
  return Math.min(historyMs / 1_000, Math.max(120, seconds));
}

function clock(seconds: number): string {
  const date = new Date(seconds * 1_000);
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
}

/** Makes a colour `rgb(…)` nearly transparent. */
function faint(colour: string): string {
  return colour.replace('rgb(', 'rgba(').replace(')', ', 0.12)');
}
