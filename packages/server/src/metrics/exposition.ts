import type { Metric } from 'prom-client';
import type { Family } from './family.ts';

/** The metrics of a server as text, with their media type. */
export interface MetricsDocument {
  /** For the header `Content-Type`. */
  readonly type: string;
  readonly body: string;
}

/** The present metrics, in the format that `Accept` asks for: that of Prometheus, or OpenMetrics. */
export type MetricsText = (accept?: string) => Promise<MetricsDocument>;

/**
 * Makes the text of metrics with prom-client. Each request has a registry of its own, because the formats
 * name counters differently. The values are read from plain numbers when they are asked for.
 *
 * @param read - resolves to all metrics with their present values
 */
export function metricsText(read: () => Promise<readonly Family[]>): MetricsText {
  return async (accept = '') => {
    const [{ Registry }, families] = await Promise.all([import('prom-client'), read()]);
    const isOpenMetrics = accept.includes('application/openmetrics-text');
    const { OPENMETRICS_CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE } = Registry;
    const registry = new Registry();
    registry.setContentType((isOpenMetrics ? OPENMETRICS_CONTENT_TYPE : PROMETHEUS_CONTENT_TYPE) as never);
    for (const family of families) registry.registerMetric(metricOf(family));
    return { type: registry.contentType, body: await registry.metrics() };
  };
}

/** All that a registry asks of a metric. */
function metricOf({ name, help, type, samples: values }: Family): Metric {
  const metric = {
    name,
    type,
    // The registry takes `_total` from the name, for OpenMetrics.
    get: () => Promise.resolve({ name: metric.name, help, type, values, aggregator: 'sum' }),
  };
  return metric as unknown as Metric;
}
