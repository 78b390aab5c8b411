#!/usr/bin/env node
import { addCancelCommand } from "./cancel.ts";
import { addDemoCommand } from "./demo.ts";
import { addDrainCommand } from "./drain.ts";
import { addPlanCommand } from "./plan.ts";
import { addPolicyCommand } from "./policy.ts";
import { runProgram } from "./program.ts";
import { addServeCommand } from "./serve.ts";
import { addSimulateCommand } from "./simulate.ts";
import { addStatusCommand } from "./status.ts";
import { addWatchCommand } from "./watch.ts";

await runProgram([
  addServeCommand,
  addDrainCommand,
  addPlanCommand,
  addStatusCommand,
  addCancelCommand,
  addWatchCommand,
  addPolicyCommand,
  addDemoCommand,
  addSimulateCommand,
]);
