import { type Config, ConfigError } from "../config/config.ts";
import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { AgentMetrics } from "../observe/agent-metrics.ts";
import type { Log } from "../observe/log.ts";
import type { MetadataWatch } from "../sources/metadata-watch.ts";
import type { MetadataEvent, Notice, NoticeEnd } from "../sources/standing-notices.ts";
import { createMetricsApp } from "../web/metrics-app.ts";
import { listen } from "../web/server.ts";
import { listenProblem } from "./web.ts";

/** When the last answer is being sent, this is enough to send it. */
const FLUSH_MS = 1_000;

export interface AgentMetricsParts {
  readonly version: string;
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The metrics of an agent, and the port on which they are served. */
export interface ServedAgentMetrics extends Pick<AgentMetrics, "countCall" | "countHook"> {
  /** Counts the events of instance metadata. */
  observe(event: MetadataEvent): void;
  /** The same watch. Its notices are counted as the drains that they start. */
  counted(watch: MetadataWatch): Pick<MetadataWatch, "identity" | "notices">;
  close(): Promise<void>;
}

/** Listens as configured. Throws `ConfigError` if it can't. */
export async function serveAgentMetrics(
  config: Config,
  { version, port, clock, log }: AgentMetricsParts,
): Promise<ServedAgentMetrics> {
  const { metricsHost: host, givenBy } = config;
  const metrics = new AgentMetrics({ version });
  const server = await listen(createMetricsApp({ clock, metrics: metrics.text }), { host, port }).catch((error) => {
    const names = { ...givenBy, host: givenBy.metricsHost, port: givenBy.metricsPort };
    throw new ConfigError([listenProblem(error as NodeJS.ErrnoException, { host, port, givenBy: names })]);
  });
  log("metrics listening", { host, port: server.port });
  return {
    countCall: metrics.countCall,
    countHook: metrics.countHook,
    observe: (event) => count(metrics, event),
    counted: (watch) => {
      metrics.watchMetadata({ isReadable: () => watch.isReadable, lastReadAt: () => watch.lastReadAt });
      return {
        identity: (signal) => watch.identity(signal),
        notices: (...given) => counted(watch.notices(...given), metrics),
      };
    },
    async close() {
      const closed = newAbort();
      const untilFlushed = clock.sleep(FLUSH_MS, closed.signal).catch(() => {}); // All answers were sent.
      await server.close(untilFlushed).finally(() => closed.abort());
    },
  };
}

async function* counted(notices: AsyncIterable<Notice>, metrics: AgentMetrics): AsyncGenerator<Notice> {
  for await (const notice of notices) {
    metrics.drainStarted();
    const done = (end: NoticeEnd) => {
      metrics.drainEnded(end);
      notice.done(end);
    };
    yield { ...notice, done };
  }
}

function count(metrics: AgentMetrics, event: MetadataEvent): void {
  switch (event.type) {
    case "noticed":
      metrics.countNotice(event.announcement.kind, "received");
      return;
    case "over":
      metrics.countNotice(event.announcement.kind, "outdated");
      return;
    case "withdrawn":
      metrics.countNotice(event.announcement.kind, "withdrawn");
      return;
    case "malformed":
      metrics.countMalformed(event.path);
      return;
    case "unreadable":
    case "readable":
      return;
    default:
      event satisfies never;
  }
}
