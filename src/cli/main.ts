#!/usr/bin/env node
import { runAsProcess } from "./process.ts";
import { run } from "./run.ts";

await runAsProcess(run);
