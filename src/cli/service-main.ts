#!/usr/bin/env node
import { runAsProcess } from "./process.ts";
import { runService } from "./run.ts";

await runAsProcess(runService);
