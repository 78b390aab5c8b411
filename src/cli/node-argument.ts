import type { Command } from "commander";
import type { OpenedCluster } from "../app/cluster.ts";
import { DEADLINE_SECONDS_MAX, type DrainRequest, type NodeReference, parseNodeReference } from "../drain/request.ts";
import type { Call } from "./call.ts";
import { UsageError } from "./failure.ts";
import { numberOf, type ServerOptions } from "./options.ts";
import { addOutputOptions, type OutputFlags } from "./output.ts";

const readDeadline = numberOf(
  "--deadline",
  (value) => value <= DEADLINE_SECONDS_MAX,
  `seconds from 0 to ${DEADLINE_SECONDS_MAX}, such as 120`,
);

export interface NodeOptions extends ServerOptions, OutputFlags {
  /** Seconds from now. */
  readonly deadline?: number;
  readonly force?: true;
}

export const NODE_TEXT = "instance id, private IP address, or node name";

/** The argument and the flag of all verbs about a node. */
export function addNodeArgument(command: Command): Command {
  return command.argument("<node>", NODE_TEXT, checkNode);
}

/** The same for several nodes, or none. */
export function addNodesArgument(command: Command): Command {
  const checkNodes = (text: string, before: readonly string[] = []) => [...before, checkNode(text)];
  return addOutputOptions(command.argument("[node...]", NODE_TEXT, checkNodes));
}

export function addJsonOption(command: Command): Command {
  return command.option("--json", "print one JSON object on stdout, and everything else on stderr");
}

export function addDeadlineOption(command: Command): Command {
  return command.option(
    "--deadline <seconds>",
    "seconds until the machine may be terminated in any case; such a drain is never refused",
    readDeadline,
  );
}

/** The node as it was typed. */
export function nodeOf({ args: [node = ""] }: Call): string {
  return node;
}

/**
 * The given node. If the cluster knows the name, its instance, because the Node object may have another name than the
 * machine.
 */
export async function referenceFrom(
  given: string,
  opened: Pick<OpenedCluster, "instanceOf"> | undefined,
  signal: AbortSignal,
): Promise<NodeReference> {
  const reference = parseNodeReference(given);
  const id = reference.by === "name" ? await opened?.instanceOf(reference.value, signal) : undefined;
  return id === undefined ? reference : { by: "id", value: id };
}

export function requestFrom(
  node: NodeReference,
  { deadline, force }: NodeOptions,
  { now, dryRun }: { readonly now: number; readonly dryRun: boolean },
): DrainRequest {
  return {
    node,
    dryRun,
    // A drain with a deadline is never refused.
    isVoluntary: deadline === undefined,
    ...(force === true ? { force } : {}),
    ...(deadline === undefined ? {} : { deadline: now + deadline * 1_000 }),
  };
}

/** The node in the form of a request to a service. */
export function nodeFields(node: string): object {
  const { by, value } = parseNodeReference(node);
  return { [by === "name" ? "node" : by]: value };
}

/** The form of the ids that this program makes. A node with such a name is given as `node/d-0123456789`. */
export function isDrainId(text: string): boolean {
  return /^d-[0-9a-f]+$/.test(text);
}

export function checkDrainOrNode(text: string): string {
  return isDrainId(text) ? text : checkNode(text);
}

export function checkNode(text: string): string {
  try {
    return parseNodeReference(text).value;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
