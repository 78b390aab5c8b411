#!/usr/bin/env node
import { runAsProcess } from "./process.ts";
import { runService } from "./run-service.ts";

await runAsProcess(runService);
