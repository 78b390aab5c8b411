#!/usr/bin/env node
import { runProgram } from "./program.ts";
import { addServeCommand } from "./serve.ts";
import { addWatchCommand } from "./watch.ts";

// The service and the agent, without the simulator and the terminal: what a container needs.
await runProgram([(program) => addServeCommand(program, { isDefault: true }), addWatchCommand], { hasDefault: true });
