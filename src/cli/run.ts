import type { Environment, Streams } from "./call.ts";
import { runProgram } from "./program.ts";
import { CANCEL } from "./verbs/cancel.ts";
import { DEMO } from "./verbs/demo.ts";
import { DRAIN } from "./verbs/drain.ts";
import { PLAN } from "./verbs/plan.ts";
import { POLICY } from "./verbs/policy.ts";
import { SERVE, SERVE_BY_DEFAULT } from "./verbs/serve.ts";
import { SIMULATE } from "./verbs/simulate.ts";
import { STATUS } from "./verbs/status.ts";
import { WATCH } from "./verbs/watch.ts";

/**
 * The command line as a function: resolves to the exit code, and never rejects. It reads and writes `streams` alone, and
 * takes its configuration from `environment`; only the AWS SDK finds credentials, endpoint and region as it always does.
 */
export function run(given: readonly string[], environment: Environment, streams: Streams): Promise<number> {
  const verbs = [SERVE, DRAIN, PLAN, STATUS, CANCEL, WATCH, POLICY, DEMO, SIMULATE];
  return runProgram(verbs, { given, environment, streams });
}

/** The service and the agent, without the simulator and the terminal: what a container needs. */
export function runService(given: readonly string[], environment: Environment, streams: Streams): Promise<number> {
  return runProgram([SERVE_BY_DEFAULT, WATCH], { given, environment, streams, hasDefault: true });
}
