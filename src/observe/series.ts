import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** The values of a label, if all of them are known beforehand. */
export type LabelValues<L extends string> = Readonly<Record<L, readonly string[]>>;

/** The series of one program. All names get the same prefix. */
export class Series {
  readonly registry = new Registry();
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The exposition and its content type. */
  async text(): Promise<{ readonly contentType: string; readonly body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name: this.#prefix + name, help, labelNames, registers: [this.registry] });
  }

  /**
   * A counter of which every series exists from the beginning, at 0. `increase()` needs two samples of a series:
   * without the first one, the first failure of a process would raise no alert.
   */
  counterOf<L extends string>(name: string, help: string, values: LabelValues<L>): Counter<L> {
    const labelNames = Object.keys(values) as L[];
    const counter = this.counter(name, help, labelNames);
    for (const labels of combinations(values)) counter.inc(labels, 0);
    return counter;
  }

  /** `collect` is called before each reading. */
  gauge<L extends string>(name: string, help: string, labelNames: readonly L[], collect?: () => void): Gauge<L> {
    return new Gauge({
      name: this.#prefix + name,
      help,
      labelNames,
      registers: [this.registry],
      ...(collect && { collect }),
    });
  }

  /** A gauge without labels. Undefined: there is no value now, and so no sample. */
  valueGauge(name: string, help: string, value: () => number | undefined): void {
    const gauge: Gauge = this.gauge(name, help, [], () => {
      const now = value();
      if (now === undefined) gauge.remove();
      else gauge.set(now);
    });
  }

  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: readonly number[],
  ): Histogram<L> {
    return new Histogram({
      name: this.#prefix + name,
      help,
      labelNames,
      buckets: [...buckets],
      registers: [this.registry],
    });
  }

  /** They do not exist until they are created again. */
  remove(names: readonly string[]): void {
    for (const name of names) this.registry.removeSingleMetric(this.#prefix + name);
  }
}

function combinations<L extends string>(values: LabelValues<L>): readonly Record<L, string>[] {
  let all: Partial<Record<L, string>>[] = [{}];
  for (const [label, each] of Object.entries(values) as [L, readonly string[]][])
    all = all.flatMap((labels) => each.map((value) => ({ ...labels, [label]: value }) as Partial<Record<L, string>>));
  return all as Record<L, string>[];
}
