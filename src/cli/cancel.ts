import type { Call } from "./call.ts";
import { UsageError } from "./failure.ts";
import type { ServerOptions } from "./options.ts";

interface UndoOptions extends ServerOptions {
  readonly from?: string;
  readonly json?: true;
}

/** Undoes a drain, or those of a node. */
export function runCancel(call: Call): Promise<number> {
  const { from } = call.options as UndoOptions;
  if (call.args.length === 0 && from === undefined)
    throw new UsageError(
      "give a node or the id of a drain, or give --from and a file with the output of 'drain --json'",
    );
  return undo("cancel", call);
}

/** Undoes the drains of a node, and makes it schedulable. */
export function runUncordon(call: Call): Promise<number> {
  return undo("uncordon", call);
}

async function undo(verb: "cancel" | "uncordon", call: Call): Promise<number> {
  const [given] = call.args;
  const { server, from, json } = call.options as UndoOptions;
  if (server === undefined) {
    const { undoHere } = await import("./undo-here.ts");
    const asked = { verb, ...(given !== undefined && { given }), ...(from !== undefined && { from }) };
    return undoHere({ ...asked, ...(json && { json }) }, call);
  }
  if (from !== undefined || given === undefined)
    throw new UsageError(
      "--from has no effect with --server: leave one of them out, and give a node or the id of a drain",
    );
  const { undoRemotely } = await import("./undo-remotely.ts");
  return undoRemotely({ verb, given, server }, call);
}
