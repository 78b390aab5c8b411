import { type Config, ConfigError } from "../config/config.ts";
import { OptionFileError } from "../config/files.ts";
import { Metrics } from "../observe/metrics.ts";
import { Background, failureLog } from "./background.ts";
import { openClocks } from "./clocks.ts";
import { openDrains } from "./ledger.ts";
import type { NotificationParts } from "./notifications.ts";
import { type Answering, type Program, type ServiceOptions, serve } from "./service.ts";
import { tracingOf } from "./tracing.ts";
import { startWeb } from "./web.ts";

/** Serves until `stop`, and resolves when every caller has been answered. Throws `ConfigError` if it can't start. */
export async function runService(config: Config, options: ServiceOptions): Promise<void> {
  const tracing = await tracingOf(config, { ...options, outlivesProcess: config.stateDir !== undefined });
  if (tracing === undefined) return run(config, options);
  try {
    await run(config, { ...options, log: tracing.inLog(options.log), tracing });
  } finally {
    await tracing.close();
  }
}

async function run(config: Config, options: ServiceOptions & Pick<Program, "tracing">): Promise<void> {
  const { version, clock, log } = options;
  const clocks = openClocks(log, clock);
  const { time } = clocks;
  const metrics = new Metrics({ version, now: () => clock.now() });
  const aws = () => time.aheadMs && time.aheadMs / 1_000;
  metrics.gauges.watchClocks({ machine: () => clock.offsetMs / 1_000, aws });
  const notifications = await notificationsOf(config, { clock, log, metrics });
  const program = { ...options, clocks, metrics, notifications };
  if (config.lease === undefined) return runAlone(config, program);
  const { runReplica } = await import("./replica.ts");
  return runReplica(config, program);
}

/** What sends notifications is loaded only if there are receivers. */
async function notificationsOf(config: Config, parts: NotificationParts) {
  if (config.notificationsFile === undefined) return undefined;
  const { openNotifications } = await import("./notifications.ts");
  return openNotifications(config, parts).catch((error: unknown) => {
    throw error instanceof OptionFileError ? new ConfigError([error.message]) : error;
  });
}

/** No other process acts on the same nodes. */
async function runAlone(config: Config, program: Program): Promise<void> {
  const { log, abandon } = program;
  const background = new Background(failureLog(log, abandon));
  const { close, ...drains } = await openDrains(config, program);
  try {
    await serve(config, {
      ...program,
      ...drains,
      answer: (parts) => listen(config, { ...program, background }, parts),
    });
    await background.ended();
    log("stopped", {});
  } finally {
    await close();
  }
}

async function listen(config: Config, program: Program & { readonly background: Background }, parts: Answering) {
  const { log, stop, abandon, background, clocks } = program;
  const { host, region, discovery, dryRun } = config;
  const { judge, ...answering } = parts;
  const web = await startWeb(config, { ...program, ...answering });
  const gate = await gateOf(config, { ...program, judge }).catch(async (error) => {
    await web.close(Promise.resolve());
    throw error;
  });
  background.add("clock", clocks.watch(stop));
  background.add("files", web.rereadFiles(stop));
  if (gate !== undefined) background.add("files", gate.rereadFiles(stop));
  log("listening", { host, port: web.port, region, discovery, dryRun });
  stop.addEventListener("abort", () => log("shutdown started", {}));
  abandon.addEventListener("abort", () => log("drains abandoned", {}));
  const both = gate === undefined ? [web] : [web, gate];
  return {
    close: async (untilFlushed: Promise<void>) => {
      await Promise.all(both.map((one) => one.close(untilFlushed)));
    },
  };
}

/** The eviction gate listens beside the HTTP API, for the same time. */
async function gateOf(config: Config, { judge, ...parts }: Program & Pick<Answering, "judge">) {
  if (judge === undefined) return undefined;
  const { serveGate } = await import("./eviction-gate.ts");
  return serveGate(config, { ...parts, judge });
}
