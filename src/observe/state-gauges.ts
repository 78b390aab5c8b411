import type { Series } from "./series.ts";

/** Milliseconds since the epoch. Infinite or absent: it has not happened. */
type Moment = number | undefined;

/** Gauges that only a leading replica has. */
const OF_TERM = [
  ...["queue_messages_in_flight", "queue_receiving", "queue_last_read_timestamp_seconds"],
  ...["nodes_watched", "node_watch_up"],
  ...["index_pools", "index_list_timestamp_seconds", "index_oldest_read_timestamp_seconds"],
  ...["aws_calls_waiting", "aws_call_rate_limit"],
  "ledger_up",
];

export interface ReadinessGauges {
  readonly isReady: boolean;
  /** `code`: of a `DrainError`. `action`: the name in an IAM policy, or empty. */
  readonly problems: readonly { readonly code: string; readonly action: string }[];
}

/** How much of AWS's quotas one process uses in one account and region: see `RequestQuota`. */
export interface QuotaGauges {
  /** Absent: there is only one. */
  readonly place?: string | undefined;
  readonly bucket: string;
  /** Calls that wait for a permit. */
  readonly waiting: number;
  /** Calls. */
  readonly perSecond: number;
}

/** Values at the time when metrics are read. Each method adds the gauges of one part of the service. */
export class StateGauges {
  readonly #series: Series;

  constructor(series: Series) {
    this.#series = series;
  }

  /** Removes the gauges that end with a term. Another term adds them again. */
  endTerm(): void {
    this.#series.remove(OF_TERM);
  }

  /** The clocks, all in seconds. Undefined: not known yet. */
  watchClocks({ machine, aws }: { readonly machine: () => number; readonly aws: () => number | undefined }): void {
    const offset = this.#series.gauge(
      "clock_offset_seconds",
      "How much another clock is ahead of the clock of the service.",
      ["of"],
      () => {
        offset.set({ of: "machine" }, machine());
        const ahead = aws();
        if (ahead !== undefined) offset.set({ of: "aws" }, ahead);
      },
    );
  }

  /** The election. */
  watchElection({ isLeader }: { readonly isLeader: () => boolean }): void {
    this.#flag("leader", "1 while this replica leads and acts on nodes, else 0. Without LEASE: absent.", isLeader);
  }

  /** Whether `/ready` answers 200, and what prevents it. */
  watchReadiness(state: () => ReadinessGauges): void {
    this.#flag("ready", "1 while /ready answers 200, else 0.", () => state().isReady);
    const problems = this.#series.gauge(
      "readiness_problems",
      "What keeps /ready from answering 200, by the code of the error and the IAM action.",
      ["code", "action"],
      () => {
        problems.reset();
        for (const { code, action } of state().problems) problems.inc({ code, action });
      },
    );
  }

  /** The certificate that the HTTP API presents. */
  watchCertificate({ validUntil }: { readonly validUntil: () => number }): void {
    this.#timestamp(
      "certificate_expiry_timestamp_seconds",
      "Unix time until which the certificate of the HTTP API is valid.",
      validUntil,
    );
  }

  /** The certificate of the eviction gate. */
  watchGate({ validUntil }: { readonly validUntil: () => number }): void {
    this.#timestamp(
      "eviction_gate_certificate_expiry_timestamp_seconds",
      "Unix time until which the certificate of the eviction gate is valid.",
      validUntil,
    );
  }

  /** The ledger. */
  watchLedger({ isWritable }: { readonly isWritable: () => boolean }): void {
    this.#flag("ledger_up", "1 while the ledger can be written, else 0.", isWritable);
  }

  /** The queue. */
  watchQueue(queue: {
    readonly inFlight: () => number;
    readonly isReceiving: () => boolean;
    readonly lastReadAt: () => Moment;
  }): void {
    this.#series.valueGauge("queue_messages_in_flight", "Messages whose nodes are being drained now.", queue.inFlight);
    this.#flag("queue_receiving", "1 while the queue can be read, else 0.", queue.isReceiving);
    this.#timestamp(
      "queue_last_read_timestamp_seconds",
      "Unix time at which AWS has last answered a read of the queue, with or without messages. Absent: never.",
      queue.lastReadAt,
    );
  }

  /** The watched Node objects. */
  watchNodes({ count, isUpToDate }: { readonly count: () => number; readonly isUpToDate: () => boolean }): void {
    this.#series.valueGauge("nodes_watched", "Node objects that are known.", count);
    this.#flag("node_watch_up", "1 while the Node objects can be read, else 0.", isUpToDate);
  }

  /** The index of registrations. */
  watchIndex(index: {
    readonly pools: () => number;
    readonly listedAt: () => Moment;
    readonly oldestReadAt: () => Moment;
  }): void {
    this.#series.valueGauge(
      "index_pools",
      "Target groups and classic load balancers that the index knows.",
      index.pools,
    );
    this.#timestamp(
      "index_list_timestamp_seconds",
      "Unix time at which all target groups and load balancers were last listed. Absent: never.",
      index.listedAt,
    );
    this.#timestamp(
      "index_oldest_read_timestamp_seconds",
      "Unix time at which the target group was read whose targets were read longest ago. Absent: one was never read.",
      index.oldestReadAt,
    );
  }

  /** The request quota. */
  watchQuota(uses: () => readonly QuotaGauges[]): void {
    const each = (name: string, help: string, value: (use: QuotaGauges) => number) => {
      const gauge = this.#series.gauge(name, help, ["bucket", "place"], () => {
        for (const { bucket, place, ...use } of uses())
          gauge.set({ bucket, ...(place !== undefined && { place }) }, value({ bucket, ...use }));
      });
    };
    each("aws_calls_waiting", "Calls to AWS that wait for the request quota.", ({ waiting }) => waiting);
    each(
      "aws_call_rate_limit",
      "Calls per second that this process makes at most. It falls while AWS throttles.",
      ({ perSecond }) => perSecond,
    );
  }

  #flag(name: string, help: string, isSo: () => boolean): void {
    this.#series.valueGauge(name, help, () => (isSo() ? 1 : 0));
  }

  #timestamp(name: string, help: string, at: () => Moment): void {
    this.#series.valueGauge(name, help, () => {
      const moment = at();
      return moment === undefined || !Number.isFinite(moment) ? undefined : moment / 1_000;
    });
  }
}
