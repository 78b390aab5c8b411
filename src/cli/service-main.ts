#!/usr/bin/env node
import { runProgram } from "./program.ts";
import { addServeCommand } from "./serve.ts";

// The service alone, without the simulator and the terminal: what a container needs.
await runProgram([(program) => addServeCommand(program, { isDefault: true })]);
