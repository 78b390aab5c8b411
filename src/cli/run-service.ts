import type { Command } from "commander";
import type { Environment, Streams } from "./call.ts";
import { runHold } from "./hold.ts";
import { runProgram } from "./program.ts";
import { runServe } from "./serve.ts";
import { declareHold } from "./verbs/hold.ts";
import { declareServe } from "./verbs/serve.ts";
import { declareWatch } from "./verbs/watch.ts";
import { runWatch } from "./watch.ts";

/**
 * The service and the agent, without the simulator and the terminal, for the container image. Both run for a long time.
 * Only code that few configurations need is loaded later.
 */
export function runService(given: readonly string[], environment: Environment, streams: Streams): Promise<number> {
  const verbs = [
    { declare: (program: Command) => declareServe(program, { isDefault: true }), load: async () => runServe },
    { declare: declareWatch, load: async () => runWatch },
    { declare: declareHold, load: async () => runHold },
  ];
  return runProgram(verbs, { given, environment, streams, hasDefault: true });
}
