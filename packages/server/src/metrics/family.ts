import type { Histogram } from '../observability/histogram.ts';

/** A value of a metric. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** The name, if it is not that of the metric: those of a histogram have endings. */
  readonly metricName?: string;
}

/** A metric with its present values. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

/** One value; or one for each value of a label. */
type Values = number | { readonly label: string; readonly values: Iterable<readonly [string, number]> };

/** A total since the start. Its name ends in `_total`. */
export function counter(name: `${string}_total`, help: string, values: Values): Family {
  return { name, help, type: 'counter', samples: samplesOf(values) };
}

export function gauge(name: string, help: string, values: Values): Family {
  return { name, help, type: 'gauge', samples: samplesOf(values) };
}

export function histogram(name: string, help: string, { bounds, counts, sum }: Histogram): Family {
  const samples: Sample[] = [];
  let count = 0;
  for (const [at, inBucket] of counts.entries()) {
    count += inBucket;
    samples.push({ metricName: `${name}_bucket`, labels: { le: bounds[at] ?? '+Inf' }, value: count });
  }
  samples.push({ metricName: `${name}_sum`, labels: {}, value: sum });
  samples.push({ metricName: `${name}_count`, labels: {}, value: count });
  return { name, help, type: 'histogram', samples };
}

/** The families of which something is known. */
export function known(families: readonly (Family | undefined | false)[]): readonly Family[] {
  return families.filter((family): family is Family => Boolean(family));
}

function samplesOf(values: Values): readonly Sample[] {
  if (typeof values === 'number') return [{ labels: {}, value: values }];
  return Array.from(values.values, ([value, number]) => ({
    labels: { [values.label]: value },
    value: number,
  }));
}
