/** One panel of the dashboard: what it answers, and by which queries. */
export interface BoardPanel {
  readonly title: string;
  /** What it shows, and what to look at when it is not as it should be. */
  readonly says: string;
  readonly as: "number" | "lines" | "bars";
  /** As Grafana names them. */
  readonly unit: "short" | "s" | "reqps" | "bytes" | "percentunit" | "none";
  /** Columns of 24. */
  readonly width: number;
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
  /** A number is orange from the first on, and red from the second on. */
  readonly thresholds?: readonly [orange: number, red: number];
  /** Else its axis begins at 0. */
  readonly goesBelowZero?: true;
  /** Shown where a query has no answer. */
  readonly noValue?: string;
}

export interface BoardRow {
  readonly title: string;
  readonly panels: readonly BoardPanel[];
}

/** The service's series, of what was selected at the top. Agents have another job. */
const S = 'namespace=~"$namespace", job=~"$job"';
const A = 'namespace=~"$namespace"';
const one = (expr: string, legend = "") => [{ expr, legend }];

const NOW: BoardRow = {
  title: "Now",
  panels: [
    {
      title: "Replicas",
      says: "Replicas that Prometheus scrapes. 0: HastaLaVistaDown.",
      as: "number",
      unit: "none",
      width: 4,
      queries: one(`count(hasta_la_vista_build_info{${S}})`),
      noValue: "0",
    },
    {
      title: "Drains running",
      says: "`hasta-la-vista drains` lists them.",
      as: "number",
      unit: "none",
      width: 4,
      queries: one(`sum(hasta_la_vista_drains_running{${S}})`),
    },
    {
      title: "Oldest running drain",
      says: "How long it has been running. A drain ends a minute after its longest hold at the latest.",
      as: "number",
      unit: "s",
      width: 4,
      queries: one(`time() - min(hasta_la_vista_oldest_drain_start_timestamp_seconds{${S}})`),
      thresholds: [3_700, 4_500],
      noValue: "none",
    },
    {
      title: "Registrations held",
      says: "Deregistered, and waiting until load balancers have stopped sending traffic.",
      as: "number",
      unit: "none",
      width: 4,
      queries: one(`sum(hasta_la_vista_registrations_draining{${S}})`),
    },
    {
      title: "Registrations at risk",
      says: "Their machine will be gone before their hold ends: requests may be lost.",
      as: "number",
      unit: "none",
      width: 4,
      queries: one(`sum(hasta_la_vista_registrations_at_risk{${S}})`),
      thresholds: [1, 1],
    },
    {
      title: "Readiness problems",
      says: "What keeps the service from draining now. `/ready` says what, and the runbook HastaLaVistaNotReady what to do.",
      as: "number",
      unit: "none",
      width: 4,
      queries: one(`sum(hasta_la_vista_readiness_problems{${S}}) or sum(hasta_la_vista_ready{${S}} * 0)`),
      thresholds: [1, 1],
    },
  ],
};

const LEAVING: BoardRow = {
  title: "What is leaving, and what it waits for",
  panels: [
    {
      title: "Registrations held, by kind of load balancer",
      says: "A hold lasts as long as the deregistration delay, and at least 210 seconds for a Network Load Balancer.",
      as: "lines",
      unit: "none",
      width: 8,
      queries: one(`sum by (kind) (hasta_la_vista_registrations_draining{${S}})`, "{{kind}}"),
    },
    {
      title: "Registrations at risk, by kind",
      says: "Their hold ends after the deadline. Shorten the deregistration delay, or raise the timeout of the lifecycle hook.",
      as: "lines",
      unit: "none",
      width: 8,
      queries: one(`sum by (kind) (hasta_la_vista_registrations_at_risk{${S}})`, "{{kind}}"),
    },
    {
      title: "Delayed by the health guard",
      says: "waiting: for a replacement. overridden, kept: too few healthy targets remained when time was up.",
      as: "bars",
      unit: "none",
      width: 8,
      queries: one(
        `sum by (verdict) (increase(hasta_la_vista_guarded_registrations_total{${S}}[$__rate_interval]))`,
        "{{verdict}}",
      ),
    },
    {
      title: "Duration of drains",
      says: "From the request to the end.",
      as: "lines",
      unit: "s",
      width: 12,
      queries: [0.5, 0.95].map((quantile) => ({
        expr: `histogram_quantile(${quantile}, sum by (le) (rate(hasta_la_vista_drain_duration_seconds_bucket{${S}}[$__range])))`,
        legend: `${quantile * 100} %`,
      })),
      noValue: "no drain has ended",
    },
    {
      title: "Median hold, by kind",
      says: "From the deregistration until the load balancer has stopped sending traffic.",
      as: "lines",
      unit: "s",
      width: 12,
      queries: one(
        `histogram_quantile(0.5, sum by (kind, le) (rate(hasta_la_vista_hold_duration_seconds_bucket{${S}}[$__range])))`,
        "{{kind}}",
      ),
      noValue: "no hold has ended",
    },
  ],
};

const RESULTS: BoardRow = {
  title: "Results, and what may have been lost",
  panels: [
    {
      title: "Drains ended, by outcome",
      says: "failed, deadline-passed and possibly-registered mean that traffic may still have come.",
      as: "bars",
      unit: "none",
      width: 12,
      queries: one(
        `sum by (outcome) (increase(hasta_la_vista_drains_total{${S}}[$__rate_interval])) > 0`,
        "{{outcome}}",
      ),
      noValue: "no drain has ended",
    },
    {
      title: "Cut short by a deadline",
      says: "Registrations that could still get traffic when their machine left. new: new requests could come. in-flight: only requests that had begun before.",
      as: "bars",
      unit: "none",
      width: 12,
      queries: one(
        `sum by (kind, traffic) (increase(hasta_la_vista_registrations_cut_short_total{${S}}[$__rate_interval]))`,
        "{{kind}} {{traffic}}",
      ),
    },
    {
      title: "Time left before the deadline",
      says: "When drains ended: the shortest tenth and the median.",
      as: "lines",
      unit: "s",
      width: 8,
      queries: [0.1, 0.5].map((quantile) => ({
        expr: `histogram_quantile(${quantile}, sum by (le) (rate(hasta_la_vista_deadline_margin_seconds_bucket{${S}}[$__range])))`,
        legend: `${quantile * 100} %`,
      })),
      goesBelowZero: true,
      noValue: "no drain had a deadline",
    },
    {
      title: "Refused, by reason",
      says: "Voluntary drains only. too-few-healthy: MIN_HEALTHY. too-many-drains: MAX_VOLUNTARY.",
      as: "bars",
      unit: "none",
      width: 8,
      queries: one(
        `sum by (reason) (increase(hasta_la_vista_drains_refused_total{${S}}[$__rate_interval]))`,
        "{{reason}}",
      ),
    },
    {
      title: "Deregistered again",
      says: "back: another program has registered the node again. ignored: AWS accepted the call and did nothing.",
      as: "bars",
      unit: "none",
      width: 8,
      queries: one(
        `sum by (because) (increase(hasta_la_vista_deregistrations_repeated_total{${S}}[$__rate_interval]))`,
        "{{because}}",
      ),
    },
  ],
};

const AWS: BoardRow = {
  title: "AWS: quota and index",
  panels: [
    {
      title: "Calls, by action",
      says: "All attempts, those of the index among them.",
      as: "lines",
      unit: "reqps",
      width: 8,
      queries: one(`sum by (action) (rate(hasta_la_vista_aws_calls_total{${S}}[$__rate_interval]))`, "{{action}}"),
    },
    {
      title: "Calls that failed, by error",
      says: "AccessDenied, UnauthorizedOperation: the IAM policy. Throttling: another program uses the quota too.",
      as: "bars",
      unit: "none",
      width: 8,
      queries: one(
        `sum by (result) (increase(hasta_la_vista_aws_calls_total{result!="ok", ${S}}[$__rate_interval]))`,
        "{{result}}",
      ),
      noValue: "no call has failed",
    },
    {
      title: "Calls that wait for the quota",
      says: "By the calls that AWS counts together. Deregistrations go first.",
      as: "lines",
      unit: "none",
      width: 8,
      queries: one(`sum by (bucket) (hasta_la_vista_aws_calls_waiting{${S}})`, "{{bucket}}"),
    },
    {
      title: "Pace",
      says: "Calls per second that the service makes at most. It falls when AWS throttles, and rises again by itself.",
      as: "lines",
      unit: "reqps",
      width: 8,
      queries: one(`min by (bucket) (hasta_la_vista_aws_call_rate_limit{${S}})`, "{{bucket}}"),
    },
    {
      title: "Age of the index",
      says: "Since the last list of all load balancers, which is made every minute, and since the oldest read of a target group.",
      as: "lines",
      unit: "s",
      width: 8,
      queries: [
        { expr: `time() - max(hasta_la_vista_index_list_timestamp_seconds{${S}})`, legend: "list" },
        { expr: `time() - min(hasta_la_vista_index_oldest_read_timestamp_seconds{${S}})`, legend: "oldest read" },
      ],
    },
    {
      title: "Target groups and load balancers",
      says: "That the index knows.",
      as: "lines",
      unit: "none",
      width: 8,
      queries: one(`max(hasta_la_vista_index_pools{${S}})`, "known"),
    },
  ],
};

const SOURCES: BoardRow = {
  title: "Where requests come from",
  panels: [
    {
      title: "Messages of the queue, by result",
      says: "Only with QUEUE. left: a drain failed, and SQS redelivers the message. malformed: not a known event.",
      as: "bars",
      unit: "none",
      width: 8,
      queries: one(
        `sum by (result) (increase(hasta_la_vista_queue_messages_total{${S}}[$__rate_interval]))`,
        "{{result}}",
      ),
    },
    {
      title: "Messages in flight",
      says: "Only with QUEUE, as the next panel. At most QUEUE_IN_FLIGHT.",
      as: "lines",
      unit: "none",
      width: 4,
      queries: one(`sum(hasta_la_vista_queue_messages_in_flight{${S}})`, "in flight"),
    },
    {
      title: "Since the last read of the queue",
      says: "A read waits for messages for 20 seconds.",
      as: "lines",
      unit: "s",
      width: 4,
      queries: one(`time() - max(hasta_la_vista_queue_last_read_timestamp_seconds{${S}})`, "last read"),
    },
    {
      title: "Lifecycle hooks, by result",
      says: "not-completed, heartbeat-failed: Auto Scaling goes on when the hook times out.",
      as: "bars",
      unit: "none",
      width: 8,
      queries: one(
        `sum by (result) (increase(hasta_la_vista_lifecycle_hooks_total{${S}}[$__rate_interval]))`,
        "{{result}}",
      ),
    },
    {
      title: "Requests, by status",
      says: "401, 403, 429: the secret is missing or wrong.",
      as: "lines",
      unit: "reqps",
      width: 8,
      queries: one(`sum by (code) (rate(hasta_la_vista_http_requests_total{${S}}[$__rate_interval]))`, "{{code}}"),
    },
    {
      title: "Node objects",
      says: "Only with KUBERNETES: those that the leader watches.",
      as: "lines",
      unit: "none",
      width: 8,
      queries: one(`max(hasta_la_vista_nodes_watched{${S}})`, "watched"),
    },
    {
      title: "Evictions, and the label that excludes nodes",
      says: "Only with KUBERNETES. refused: a disruption budget. exclude-failed: the API server.",
      as: "bars",
      unit: "none",
      width: 8,
      queries: [
        {
          expr: `sum by (result) (increase(hasta_la_vista_pod_evictions_total{${S}}[$__rate_interval]))`,
          legend: "{{result}}",
        },
        {
          expr: `sum by (result) (increase(hasta_la_vista_node_exclusions_total{${S}}[$__rate_interval]))`,
          legend: "{{result}}",
        },
      ],
    },
  ],
};

const REPLICAS: BoardRow = {
  title: "Replicas and agents",
  panels: [
    {
      title: "Leader",
      says: "Only with LEASE. 1: this replica acts on nodes.",
      as: "lines",
      unit: "none",
      width: 8,
      queries: one(`hasta_la_vista_leader{${S}}`, "{{instance}}"),
    },
    {
      title: "Ledger",
      says: "Only with STATE_DIR. 1: it can be written. 0: a restart would lose unfinished drains.",
      as: "lines",
      unit: "none",
      width: 8,
      queries: one(`min(hasta_la_vista_ledger_up{${S}})`, "writable"),
    },
    {
      title: "Clocks",
      says: "How much the clock of AWS, and the time of day of the machine, are ahead of the clock of the service.",
      as: "lines",
      unit: "s",
      width: 8,
      goesBelowZero: true,
      queries: one(`hasta_la_vista_clock_offset_seconds{${S}}`, "{{instance}} {{of}}"),
    },
    {
      title: "Memory",
      says: "Resident memory of each replica.",
      as: "lines",
      unit: "bytes",
      width: 8,
      queries: one(`process_resident_memory_bytes{${S}} and on (instance) hasta_la_vista_build_info`, "{{instance}}"),
    },
    {
      title: "Agents",
      says: "Only with METRICS_PORT. Agents that are scraped, and those that cannot read instance metadata.",
      as: "lines",
      unit: "none",
      width: 8,
      queries: [
        { expr: `count(hasta_la_vista_agent_build_info{${A}})`, legend: "agents" },
        {
          expr: `count(hasta_la_vista_agent_build_info{${A}}) - sum(hasta_la_vista_agent_metadata_up{${A}})`,
          legend: "without metadata",
        },
      ],
    },
    {
      title: "Drains of agents, by result",
      says: "failed: it is tried again while the notice stands.",
      as: "bars",
      unit: "none",
      width: 8,
      queries: one(
        `sum by (result) (increase(hasta_la_vista_agent_drains_total{${A}}[$__rate_interval]))`,
        "{{result}}",
      ),
    },
  ],
};

/** The dashboard, from top to bottom. */
export const BOARD: readonly BoardRow[] = [NOW, LEAVING, RESULTS, AWS, SOURCES, REPLICAS];
