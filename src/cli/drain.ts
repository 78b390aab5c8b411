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
  return await drainRemotely({ ...options, server, evict: evictionFrom(options) }, call);
}

/** A service knows no selectors of nodes. */
function refuseWithServer({ args }: Call, { selector }: DrainOptions): void {
  if (selector !== undefined)
    throw new UsageError(
      "--selector has no effect with --server: name the nodes, as 'kubectl get nodes -o name' prints them",
    );
  if (args.length === 0) throw new UsageError("no <node> is given: --help describes it");
}
