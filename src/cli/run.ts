import type { Environment, Streams, Verb } from "./call.ts";
import { runProgram } from "./program.ts";
import { declareCancel } from "./verbs/cancel.ts";
import { declareCompletion } from "./verbs/completion.ts";
import { declareDemo } from "./verbs/demo.ts";
import { declareDoctor } from "./verbs/doctor.ts";
import { declareDrain } from "./verbs/drain.ts";
import { declareDrains } from "./verbs/drains.ts";
import { declareHold } from "./verbs/hold.ts";
import { declarePlan } from "./verbs/plan.ts";
import { declarePolicy } from "./verbs/policy.ts";
import { declareRbac } from "./verbs/rbac.ts";
import { declareServe } from "./verbs/serve.ts";
import { declareSimulate } from "./verbs/simulate.ts";
import { declareStatus } from "./verbs/status.ts";
import { declareUncordon } from "./verbs/uncordon.ts";
import { declareWatch } from "./verbs/watch.ts";

/** Every verb, in the order of the help. Its code is loaded when it runs: one chunk of the bundle, or several. */
const VERBS: readonly Verb[] = [
  { declare: declareServe, load: async () => (await import("./serve.ts")).runServe },
  { declare: declareDrain, load: async () => (await import("./drain.ts")).runDrain },
  { declare: declarePlan, load: async () => (await import("./plan.ts")).runPlan },
  { declare: declareStatus, load: async () => (await import("./status.ts")).runStatus },
  { declare: declareDoctor, load: async () => (await import("./doctor.ts")).runDoctor },
  { declare: declareDrains, load: async () => (await import("./drains.ts")).runDrains },
  { declare: declareCancel, load: async () => (await import("./cancel.ts")).runCancel },
  { declare: declareUncordon, load: async () => (await import("./cancel.ts")).runUncordon },
  { declare: declareWatch, load: async () => (await import("./watch.ts")).runWatch },
  { declare: declareHold, load: async () => (await import("./hold.ts")).runHold },
  { declare: declarePolicy, load: async () => (await import("./policy.ts")).runPolicy },
  { declare: declareRbac, load: async () => (await import("./rbac.ts")).runRbac },
  { declare: declareCompletion, load: async () => (await import("./completion.ts")).runCompletion },
  { declare: declareDemo, load: async () => (await import("./demo.ts")).runDemo },
  { declare: declareSimulate, load: async () => (await import("./simulate.ts")).runSimulate },
];

/**
 * The command line as a function. It resolves with the exit code, and never rejects. It uses only `streams` for input
 * and output, and `environment` for its configuration. The AWS SDK finds credentials, endpoint and region as usual.
 */
export function run(given: readonly string[], environment: Environment, streams: Streams): Promise<number> {
  return runProgram(VERBS, { given, environment, streams });
}
