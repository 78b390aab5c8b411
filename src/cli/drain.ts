import type { Call } from "./call.ts";
import type { DrainOptions } from "./drain-here.ts";
import { evictionFrom } from "./eviction-flags.ts";

export async function runDrain(call: Call): Promise<number> {
  const options = call.options as DrainOptions;
  const { server } = options;
  if (server === undefined) {
    const { drainHere } = await import("./drain-here.ts");
    return await drainHere(call, options);
  }
  const { drainRemotely } = await import("./remote-drain.ts");
  return await drainRemotely({ ...options, server, evict: evictionFrom(options) }, call);
}
