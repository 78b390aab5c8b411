import { SystemClock } from "../drain/clock.ts";
import type { Call } from "./call.ts";
import type { DrainOptions } from "./drain-here.ts";
import { evictionFrom } from "./eviction-flags.ts";
import { UsageError } from "./failure.ts";

export async function runDrain(call: Call): Promise<number> {
  const options = call.options as DrainOptions;
  const { server } = options;
  if (server === undefined) {
    const { drainHere } = await import("./drain-here.ts");
    return await drainHere(call, options);
  }
  refuseWithServer(call, options);
  const { drainRemotely } = await import("./remote-drain.ts");
  return await drainRemotely({ ...options, server, evict: evictionFrom(options) }, call, new SystemClock());
}

/** A service drains one node for a request. */
function refuseWithServer({ args }: Call, { selector }: DrainOptions): void {
  if (selector !== undefined || args.length > 1)
    throw new UsageError("--server takes one <node>: run the command once for each node");
  if (args.length === 0) throw new UsageError("no <node> is given: --help describes it");
}
