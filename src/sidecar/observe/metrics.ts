/**
 * The metrics of the sidecar, in the text format of Prometheus.
 *
 * All values of one answer are of one moment: what they are made from is collected once, before the registry is asked.
 * @module
 */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { MetricInputs, MetricRow } from './metric-row.js';
import { METRIC_ROWS } from './metric-table.js';

export interface SidecarMetricsOptions {
  /** The state of the moment. May ask other threads; what it throws is thrown by `text`. */
  readonly collect: () => MetricInputs | Promise<MetricInputs>;
  /** Also the metrics of the process that prom-client knows of. Default: true. */
  readonly withProcess?: boolean | undefined;
}

export class SidecarMetrics {
  readonly registry = new Registry();
  readonly #collect: () => MetricInputs | Promise<MetricInputs>;
  #inputs: MetricInputs | null = null;

  constructor({ collect, withProcess = true }: SidecarMetricsOptions) {
    this.#collect = collect;
    for (const row of METRIC_ROWS) this.registry.registerMetric(this.#metricOf(row));
    if (withProcess) collectDefaultMetrics({ register: this.registry });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The answer to a scrape. */
  async text(): Promise<string> {
    this.#inputs = await this.#collect();
    return this.registry.metrics();
  }

  /** prom-client asks its metrics for nothing but this; its own classes would have to be told of every request. */
  #metricOf(row: MetricRow): Metric {
    const { name, help, type } = row;
    const get = async () => {
      const inputs = this.#inputs ?? (await this.#collect());
      const values = row.read(inputs).map(({ labels, value, suffix }) => ({
        labels,
        value,
        ...(suffix === undefined ? {} : { metricName: `${name}${suffix}` }),
      }));
      return { name, help, type, values, aggregator: 'sum' };
    };
    return { name, help, type, get, reset: () => {} } as unknown as Metric;
  }
}
