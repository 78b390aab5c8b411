import type { Engine } from "../app/engine.ts";
import { ConfigError } from "../config/config.ts";
import { fileProblem, readText, readTextFile } from "../config/files.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError, DrainError, printable } from "../drain/errors.ts";
import type { DrainObserver } from "../drain/events.ts";
import { isGivenBack, type NodeUndo, type NodeUndoRequest, nodeUndoFailure, undoNode } from "../drain/node-undo.ts";
import { nodeUndoReport } from "../drain/record-report.ts";
import { undoReport } from "../drain/report.ts";
import type { NodeReference } from "../drain/request.ts";
import { type UndoOutcome, undoFailure } from "../drain/undo.ts";
import type { Call, Streams } from "./call.ts";
import { DRAIN_BYTES_MAX, type ReportedDrain, readDrainReports } from "./drain-file.ts";
import { recordsFolder } from "./drain-records.ts";
import { eventText } from "./event-text.ts";
import { EXIT, exitCodeOfUndo } from "./exit-codes.ts";
import { isDrainId, referenceFrom } from "./node-argument.ts";
import { clusterFor, configFrom } from "./options.ts";
import { progressOf } from "./progress.ts";
import { forget, type RecordedDrain, readRecords } from "./recorded-drains.ts";
import { interruptSignal } from "./shutdown.ts";
import { nodeUndoText, undoText } from "./text.ts";

/** A request for an undo without a service. */
export interface UndoHere {
  readonly verb: "cancel" | "uncordon";
  /** As it was typed: a node, or the id of a drain. Absent: the drains of `from`. */
  readonly given?: string;
  /** A file with drains. `-` is stdin. Absent: what was recorded when the node was drained. */
  readonly from?: string;
  readonly json?: true;
}

const STDIN = "-";

/** Undoes drains with the credentials of this process: returns the exit code. */
export async function undoHere(asked: UndoHere, call: Call): Promise<number> {
  const config = configFrom(call, asked.verb);
  const drains = asked.from === undefined ? undefined : await readFrom(asked.from, call.streams);
  const { clock } = call.streams;
  const opened = await clusterFor(call, config, clock);
  const signal = interruptSignal(call);
  try {
    const { openEngine } = await import("../app/places.ts");
    const observers = [linesFor(asked, call, clock)];
    const engine = await openEngine(config, { clock, observers, cluster: opened?.cluster });
    const undoing = new UndoingHere(asked, call, { engine, clock, opened, signal });
    return print(drains === undefined ? [await undoing.ofNode()] : await undoing.ofFile(drains), asked, call);
  } catch (error) {
    if (!signal.aborted) throw error;
    const again = "run the same command again to continue";
    call.streams.stderr.write(`hasta-la-vista: stopped before AWS listed all targets again: ${again}\n`);
    return EXIT.notDrained;
  } finally {
    opened?.close();
  }
}

interface UndoParts {
  readonly engine: Pick<Engine, "drainer" | "cloud">;
  readonly clock: Clock;
  readonly opened: Awaited<ReturnType<typeof clusterFor>>;
  readonly signal: AbortSignal;
}

class UndoingHere {
  readonly #asked: UndoHere;
  readonly #call: Call;
  readonly #parts: UndoParts;

  constructor(asked: UndoHere, call: Call, parts: UndoParts) {
    this.#asked = asked;
    this.#call = call;
    this.#parts = parts;
  }

  /** For a node: everything that is recorded of it. For a drain: that one. Throws `drain-not-found`. */
  async ofNode(): Promise<NodeUndo> {
    const { given = "", verb } = this.#asked;
    const { environment, streams } = this.#call;
    const { opened, signal } = this.#parts;
    const records = await readRecords(environment, (problem) => streams.stderr.write(`hasta-la-vista: ${problem}\n`));
    if (verb === "cancel" && isDrainId(given)) {
      const drain = records.find(({ drainId }) => drainId === given);
      if (drain === undefined) throw this.#notRecorded(`the drain ${given} is not recorded`);
      return this.#undo([drain]);
    }
    const reference = await referenceFrom(given, opened, signal);
    const recorded = drainsOf(records, reference);
    if (recorded.length > 0) return this.#undo(recorded);
    const included = await this.#include({ node: reference, uncordons: verb === "uncordon" });
    const found = drainsOf(records, { by: "id", value: included.node.id });
    if (found.length > 0) return this.#undo(found);
    if (opened === undefined) throw this.#notRecorded(`no drain of ${included.node.id} is recorded`);
    return included;
  }

  /** For each node of the file at the same time, or only the given one. */
  async ofFile(drains: readonly ReportedDrain[]): Promise<readonly NodeUndo[]> {
    const { given, from = "" } = this.#asked;
    const { opened, signal } = this.#parts;
    const wanted = given === undefined ? undefined : await referenceFrom(given, opened, signal);
    const meant = wanted === undefined ? drains : drainsOf(drains, wanted);
    if (meant.length === 0) {
      const what =
        given === undefined ? "no drain in it has changed anything" : `it has no drain of ${printable(given)}`;
      throw new ConfigError([`--from is '${printable(from)}', which can't be used: ${what}`]);
    }
    const ids = [...new Set(meant.map(({ node }) => node.id))];
    return Promise.all(ids.map((value) => this.#undo(drainsOf(meant, { by: "id", value }))));
  }

  /** All drains of one node, newest first. The records of undone drains are removed. */
  async #undo(drains: readonly (ReportedDrain | RecordedDrain)[]): Promise<NodeUndo> {
    const { engine, opened, signal } = this.#parts;
    const [{ node } = { node: NO_NODE }] = drains;
    const undone: UndoOutcome[] = [];
    for (const drain of drains) {
      if (isGivenBack(drain.undoables, undone)) continue;
      undone.push(await engine.drainer.undo(drain, signal));
    }
    if (undone.every((one) => undoFailure(one) === undefined))
      await forget(drains.filter((drain): drain is RecordedDrain => "file" in drain));
    if (this.#asked.verb === "cancel" || opened === undefined) return { node, drains: undone };
    try {
      const request = { node: { by: "id", value: node.id }, uncordons: true } as const;
      return { ...(await this.#include(request)), drains: undone };
    } catch (error) {
      signal.throwIfAborted();
      return { node, drains: undone, error: asDrainError(error) };
    }
  }

  /** Only in the cluster, because no ledger knows a drain of the node. */
  #include(request: NodeUndoRequest): Promise<NodeUndo> {
    const { engine, clock, opened, signal } = this.#parts;
    return undoNode(request, { ...engine, clock, cluster: opened?.cluster }, signal);
  }

  #notRecorded(what: string): DrainError {
    const folder = recordsFolder(this.#call.environment);
    const where = folder === undefined ? ", because HOME is not set" : ` in ${printable(folder, 200)}`;
    const advice =
      "give --from and a file with the output of 'drain --json', or --server and the URL of the service that drained it";
    return new DrainError("drain-not-found", `${what}${where}: ${advice}`);
  }
}

const NO_NODE = { id: "", name: "", network: "" };

/** The cluster was asked, and nothing is known about targets. */
function notRecorded({ environment }: Call): string {
  const where = recordsFolder(environment);
  const here = where === undefined ? "on this machine" : `in ${printable(where, 200)}`;
  return `no drain of the node is recorded ${here}: its controllers register it again, and targets that no controller manages stay as they are. If a drain has deregistered such targets, give --from and its output, or --server`;
}

function linesFor({ json }: UndoHere, { streams: { stdout, stderr } }: Call, clock: Clock): DrainObserver {
  const startedAt = clock.now();
  return (event) => {
    const progress = progressOf(event);
    const line = progress && eventText(progress, clock.now() - startedAt);
    if (line !== undefined) (json ? stderr : stdout).write(`${line}\n`);
  };
}

/** For a file and for a named drain, each drain. Otherwise the node. */
function print(undone: readonly NodeUndo[], { verb, given = "", from, json }: UndoHere, call: Call): number {
  const { stdout, stderr } = call.streams;
  const outcomes = undone.flatMap(({ drains }) => drains).map(undoReport);
  const nodes = undone.map(nodeUndoReport);
  if (verb === "cancel" && (from !== undefined || isDrainId(given))) {
    const [only] = outcomes.length === 1 ? outcomes : [];
    stdout.write(`${json ? JSON.stringify(only ?? { drains: outcomes }) : outcomes.map(undoText).join("\n")}\n`);
  } else {
    const [only] = nodes.length === 1 ? nodes : [];
    stdout.write(`${json ? JSON.stringify(only ?? { nodes }) : nodes.map(nodeUndoText).join("\n")}\n`);
    if (outcomes.length === 0) stderr.write(`hasta-la-vista: ${notRecorded(call)}\n`);
  }
  const codes = undone.map((one) => exitCodeOfUndo(nodeUndoFailure(one)?.code));
  return codes.find((code) => code !== EXIT.done) ?? EXIT.done;
}

function drainsOf<T extends ReportedDrain>(drains: readonly T[], { by, value }: NodeReference): readonly T[] {
  if (by === "ip") return [];
  return drains.filter(({ node }) => (by === "id" ? node.id : node.name) === value);
}

/** Throws `ConfigError`. */
async function readFrom(file: string, streams: Streams): Promise<readonly ReportedDrain[]> {
  let text: string;
  try {
    text = await (file === STDIN ? readText(streams.stdin, DRAIN_BYTES_MAX) : readTextFile(file, DRAIN_BYTES_MAX));
  } catch (error) {
    throw new ConfigError([
      `--from is '${printable(file)}', which can't be used: ${fileProblem(error as NodeJS.ErrnoException)}`,
    ]);
  }
  return readDrainReports(`--from is '${printable(file)}', which`, text);
}
