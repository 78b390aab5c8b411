import { runService } from "../app/run.ts";
import { createLog } from "../observe/service-log.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { configFrom } from "./options.ts";
import { listenForShutdown } from "./shutdown.ts";
import { VERSION } from "./version.ts";

export async function runServe(call: Call): Promise<number> {
  const config = configFrom(call, "serve");
  const { clock } = call.streams;
  const shutdown = listenForShutdown(config, call.streams);
  try {
    const { stop, abandon } = shutdown;
    const log = createLog(config.logLevel, call.streams.stdout, () => clock.now());
    await runService(config, { version: VERSION, environment: call.environment, clock, log, stop, abandon });
    return EXIT.done;
  } finally {
    shutdown.ignore();
  }
}
