import { type Config, ConfigError } from "../config/config.ts";
import type { DrainError } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import { type OutcomeReport, outcomeReport } from "../drain/report.ts";
import type { NodeReference } from "../drain/request.ts";
import { Repeats } from "../observe/repeats.ts";
import type { Call } from "./call.ts";
import { DrainRecords } from "./drain-records.ts";
import { type EvictionFlags, evictionFrom } from "./eviction-flags.ts";
import { EXIT, exitCodeOf, exitCodeOfAll } from "./exit-codes.ts";
import { UsageError } from "./failure.ts";
import type { Look } from "./look.ts";
import { type NodeOptions, referenceFrom, requestFrom } from "./node-argument.ts";
import { clusterFor, configFrom } from "./options.ts";
import { type Format, formatFrom, isForPrograms, printResult } from "./output.ts";
import { PlainLines } from "./plain-lines.ts";
import { progressOf } from "./progress.ts";
import type { RemoteDrainOptions } from "./remote-drain.ts";
import { interruptSignal } from "./shutdown.ts";
import { outcomeText } from "./text.ts";
import { undoFileFor } from "./undo-file.ts";

/** All flags of the verb. */
export type DrainOptions = NodeOptions &
  EvictionFlags &
  Pick<RemoteDrainOptions, "reason" | "wait" | "selector" | "undoFile">;

type OpenedCluster = Awaited<ReturnType<typeof clusterFor>>;

/** `drain` by this process: returns the exit code. */
export async function drainHere(call: Call, options: DrainOptions): Promise<number> {
  const config = configFrom(call, "drain");
  const format = formatFrom(options);
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
    const isLive = stdout.isTTY === true && !isForPrograms(format) && !config.dryRun && isAlone && evict === undefined;
    const live = isLive ? new (await import("./live-lines.ts")).LiveLines(clock, stdout) : undefined;
    const repeats = new Repeats(() => clock.now());
    const output = isForPrograms(format) ? stderr : stdout;
    const isPlain = live === undefined && !config.dryRun;
    const plain = isPlain ? new PlainLines({ clock, repeats, output, isAlone }) : undefined;
    const onTrouble = (problem: string) =>
      stderr.write(`hasta-la-vista: ${problem}. To be able to undo it, give --undo-file and the path of a new file\n`);
    const undoFile = await undoFileFor(options, call);
    const records = new DrainRecords({ clock, environment: call.environment, undoFile, onTrouble });
    const onLookupFailed = (asked: NodeReference, error: DrainError) => {
      if (repeats.leftOutBefore(`lookup ${error.code}`, asked.value) !== undefined)
        stderr.write(`hasta-la-vista: could not find the node, will retry (${error.message})\n`);
    };
    const { openEngine } = await import("../app/places.ts");
    const observers = [
      records.observe,
      (event: DrainEvent) => {
        const progress = progressOf(event);
        if (progress !== undefined) for (const lines of [live, plain]) lines?.observe(progress);
      },
    ];
    const { drainer } = await openEngine(config, { clock, observers, cluster: opened?.cluster, onLookupFailed });
    for (const each of [plain, records]) each?.begin((drainId) => drainer.running(drainId));
    const drains = nodes.map((node) => {
      const request = requestFrom(node, options, { now: startedAt, dryRun: config.dryRun });
      return drainer.drain({ ...request, ...(evict && { evict }) }, signal);
    });
    const outcomes = (await Promise.all(drains).finally(() => plain?.close())).map(outcomeReport);
    await live?.close();
    await records.end(outcomes);
    await print(call, format, outcomes, { tookMs: clock.now() - startedAt, records });
    return left > 0 ? EXIT.notDrained : exitCodeOfAll(outcomes.map(exitCodeOf));
  } finally {
    opened?.close();
  }
}

/**
 * The given nodes, and with `--selector` those of the cluster. `left`: the number of selected nodes that are not EC2
 * instances. Throws `UsageError` if there are none.
 */
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

async function print(
  call: Call,
  format: Format,
  outcomes: readonly OutcomeReport[],
  { tookMs, records }: { readonly tookMs: number; readonly records: DrainRecords },
): Promise<void> {
  const [only] = outcomes.length === 1 ? outcomes : [];
  const text = (look: Look) =>
    outcomes.map((outcome) => `${outcomeText(outcome, tookMs, look)}${howToUndo(outcome, records)}`).join("\n");
  await printResult(call, format, { data: only ?? { drains: outcomes }, names: outcomes.flatMap(namesOf), text });
}

function namesOf(outcome: OutcomeReport): readonly string[] {
  return "drainId" in outcome && outcome.drainId !== undefined ? [outcome.drainId] : [];
}

const UNDRAINED: ReadonlySet<OutcomeReport["status"]> = new Set(["abandoned", "failed", "deadline-passed"]);

/**
 * For a drain that was stopped or has failed. If it could not be recorded, the data for its undo is stored nowhere
 * else.
 */
function howToUndo(outcome: OutcomeReport, records: DrainRecords): string {
  if (!UNDRAINED.has(outcome.status) || !("registrations" in outcome)) return "";
  const { drainId, node } = outcome;
  const isOut = outcome.registrations.some(({ deregistered }) => deregistered);
  if (outcome.status === "abandoned" ? outcome.registrations.length === 0 : !isOut) return "";
  if (node !== undefined && records.isRecorded(drainId))
    return `\nTo register the targets again, run: hasta-la-vista uncordon ${node.name}`;
  if (outcome.status !== "abandoned") return "";
  const how =
    "To register the targets again, save the next line as drain.json and run: hasta-la-vista cancel --from drain.json";
  return `\n${how}\n${JSON.stringify(outcome)}`;
}

/** Without a service the drain ends with the program, because no other process would continue it. */
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
