import type { Command } from "commander";
import { LOOPBACK } from "../../simulator/listen.ts";
import { UsageError } from "../failure.ts";
import { numberOf } from "../options.ts";

const SPEED_MAX = 1_000;
const PORT_MAX = 65_535;
const readPort = numberOf(
  "--port",
  (value) => Number.isInteger(value) && value <= PORT_MAX,
  `a port from 0 to ${PORT_MAX}, 0 for any free one`,
);
const readSpeed = numberOf(
  "--speed",
  (value) => value > 0 && value <= SPEED_MAX,
  `a number above 0 and up to ${SPEED_MAX}, such as 20`,
);

export function declareSimulate(program: Command): Command {
  return program
    .command("simulate")
    .summary("run a simulated AWS region on this machine, for any AWS client")
    .description(
      "Runs a simulated AWS region on this machine until Ctrl-C: EC2, Elastic Load Balancing and Auto Scaling for any AWS client, and load balancers that carry real requests. Needs no AWS account.",
    )
    .option("--scenario <file>", "what the region holds, in YAML or JSON (docs/scenarios). Default: the demo's cluster")
    .option("--port <number>", "the port of AWS's endpoint; 0 is any free one", readPort, 0)
    .option(
      "--host <address>",
      "the address to listen on, as the load balancers do; 0.0.0.0 lets other machines in, without any authentication",
      readHost,
      LOOPBACK,
    )
    .option("--speed <factor>", `simulated seconds in a real one, up to ${SPEED_MAX}`, readSpeed, 1)
    .option("--json", "print one JSON object");
}

/** An empty one would be every address. */
function readHost(given: string): string {
  if (given.trim() !== "") return given;
  throw new UsageError(`--host is '${given}': give an address of this machine, such as 127.0.0.1`);
}
