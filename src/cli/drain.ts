import { type Config, ConfigError } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import type { DrainError } from "../drain/errors.ts";
import type { DrainObserver } from "../drain/events.ts";
import { type OutcomeReport, outcomeReport } from "../drain/report.ts";
import type { NodeReference } from "../drain/request.ts";
import { Repeats } from "../observe/repeats.ts";
import { type Call, widthOf } from "./call.ts";
import { eventText } from "./event-text.ts";
import { type EvictionFlags, evictionFrom } from "./eviction-flags.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { UsageError } from "./failure.ts";
import { type NodeOptions, referenceFrom, requestFrom } from "./node-argument.ts";
import { clusterFor, configFrom } from "./options.ts";
import type { RemoteDrainOptions } from "./remote-drain.ts";
import { interruptSignal } from "./shutdown.ts";
import { outcomeText } from "./text.ts";

type DrainOptions = NodeOptions &
  EvictionFlags &
  Pick<RemoteDrainOptions, "reason" | "wait"> & { readonly selector?: string };

type OpenedCluster = Awaited<ReturnType<typeof clusterFor>>;

export async function runDrain(call: Call): Promise<number> {
  const options = call.options as DrainOptions;
  const { server } = options;
  if (server === undefined) return await drain(call, options, configFrom(call, "drain"));
  refuseWithServer(call, options);
  const { drainRemotely } = await import("./remote-drain.ts");
  return await drainRemotely({ ...options, server }, call);
}

async function drain(call: Call, options: DrainOptions, config: Config): Promise<number> {
  const { stdout, stderr, clock } = call.streams;
  refuseWithoutServer(options);
  const evict = evictionFrom(options);
  refuseWithoutCluster(options, config);
  const startedAt = clock.now();
  const opened = await clusterFor(call, config, clock);
  const signal = interruptSignal(call);
  try {
    const { nodes, left } = await nodesFrom(call, options, opened, signal);
    const isAlone = nodes.length === 1;
    const isLive = stdout.isTTY === true && !options.json && !config.dryRun && isAlone && evict === undefined;
    const live = isLive ? new (await import("./live-lines.ts")).LiveLines(clock, stdout) : undefined;
    const repeats = new Repeats(() => clock.now());
    const output = options.json ? stderr : stdout;
    const plain = config.dryRun ? () => {} : plainLines({ clock, repeats, output, isAlone });
    const onLookupFailed = (asked: NodeReference, error: DrainError) => {
      if (repeats.leftOutBefore(`lookup ${error.code}`, asked.value) !== undefined)
        stderr.write(`hasta-la-vista: could not find the node, will retry (${error.message})\n`);
    };
    const { createEngine } = await import("../app/engine.ts");
    const observers = [live?.observe ?? plain];
    const { drainer } = createEngine(config, { clock, observers, cluster: opened?.cluster, onLookupFailed });
    const drains = nodes.map((node) => {
      const request = requestFrom(node, options, { now: startedAt, dryRun: config.dryRun });
      return drainer.drain({ ...request, ...(evict && { evict }) }, signal);
    });
    const outcomes = (await Promise.all(drains)).map(outcomeReport);
    await live?.close();
    print(call, options, outcomes, clock.now() - startedAt);
    return left > 0 ? EXIT.notDrained : exitCodeOfAll(outcomes);
  } finally {
    opened?.close();
  }
}

interface PlainOutput {
  readonly clock: Clock;
  readonly repeats: Repeats;
  readonly output: { write(text: string): unknown };
  /** Absent the instance is named in each line. */
  readonly isAlone: boolean;
}

/** A line for each step, and a failure that is retried once in a while. */
function plainLines({ clock, repeats, output, isAlone }: PlainOutput): DrainObserver {
  const startedAt = clock.now();
  return (event) => {
    const line = eventText(event, clock.now() - startedAt);
    const isRetried =
      event.type === "poll-failed" || event.type === "deregister-failed" || event.type === "read-failed";
    const leftOut = isRetried ? repeats.leftOutBefore(`${event.type} ${event.error.code}`, event.node.id) : 0;
    if (line === undefined || leftOut === undefined) return;
    const more = leftOut === 0 ? "" : `  (${leftOut} more since the last such line)`;
    const text = isAlone ? line : line.replace(/^/gm, `${event.node.id} `);
    output.write(`${text}${more}\n`);
  };
}

/** What was given, and with `--selector` what the cluster has. `left`: so many nodes of it are no EC2 instances. Throws `UsageError` where that is nothing. */
async function nodesFrom(
  { args, streams }: Call,
  { selector }: DrainOptions,
  opened: OpenedCluster,
  signal: AbortSignal,
): Promise<{ readonly nodes: readonly NodeReference[]; readonly left: number }> {
  const named = await Promise.all(args.map((given) => referenceFrom(given, opened, signal)));
  const selected = selector === undefined ? [] : ((await opened?.nodesWith(selector, signal)) ?? []);
  const strangers = selected.filter(({ instanceId }) => instanceId === undefined);
  for (const { name, providerId = "none" } of strangers)
    streams.stderr.write(
      `hasta-la-vista: node ${name} is left as it is: its providerID is ${providerId}, not an EC2 instance's\n`,
    );
  const ids = selected.flatMap(({ instanceId }) => (instanceId === undefined ? [] : [instanceId]));
  const all = [...named, ...ids.map((value): NodeReference => ({ by: "id", value }))];
  const nodes = [...new Map(all.map((one) => [`${one.by} ${one.value}`, one])).values()];
  if (nodes.length > 0) return { nodes, left: strangers.length };
  throw new UsageError(
    selector === undefined
      ? "no <node> is given: --help describes it"
      : `no node has the labels '${selector}': check them with kubectl get nodes --show-labels`,
  );
}

function print(call: Call, { json }: DrainOptions, outcomes: readonly OutcomeReport[], tookMs: number): void {
  const { stdout } = call.streams;
  if (json) {
    stdout.write(`${JSON.stringify(outcomes.length === 1 ? outcomes[0] : { drains: outcomes })}\n`);
    return;
  }
  for (const outcome of outcomes)
    stdout.write(`${outcomeText(outcome, tookMs, widthOf(stdout))}${howToUndo(outcome)}\n`);
}

/** Of several, 0 only where all are done. */
function exitCodeOfAll(outcomes: readonly OutcomeReport[]): number {
  const codes = new Set(outcomes.map(exitCodeOf));
  const [first = EXIT.done] = codes;
  return codes.size === 1 ? first : EXIT.notDrained;
}

/** The data for undoing a drain that was stopped, which is stored nowhere else. */
function howToUndo(outcome: OutcomeReport): string {
  if (outcome.status !== "abandoned" || outcome.registrations.length === 0) return "";
  const how =
    "To register the targets again, save the next line as drain.json and run: hasta-la-vista cancel --undo --from drain.json";
  return `\n${how}\n${JSON.stringify(outcome)}`;
}

/** Without a service the drain ends with the program: no other process would continue it. */
function refuseWithoutServer({ reason, wait = true }: DrainOptions): void {
  const given = [reason === undefined ? [] : "--reason", wait === true ? [] : wait === false ? "--no-wait" : "--wait"];
  const names = given.flat();
  if (names.length > 0)
    throw new ConfigError(names.map((name) => `${name} requires --server: give both, or leave it out`));
}

function refuseWithoutCluster({ evict, selector }: DrainOptions, { kubernetes }: Config): void {
  if (kubernetes !== undefined) return;
  const names = [...(evict === true ? ["--evict"] : []), ...(selector === undefined ? [] : ["--selector"])];
  if (names.length > 0) {
    throw new ConfigError(
      names.map(
        (name) => `${name} requires a cluster: set KUBERNETES, or give --kubernetes and the path of a kubeconfig`,
      ),
    );
  }
}

/** A service drains one node for a request, and evicts by its own rules. */
function refuseWithServer({ args }: Call, { selector, evict: _, ...options }: DrainOptions): void {
  evictionFrom({ evict: true, ...options });
  if (selector !== undefined || args.length > 1)
    throw new UsageError("--server takes one <node>: run the command once for each node");
  if (args.length === 0) throw new UsageError("no <node> is given: --help describes it");
}
