import type { Command } from "commander";
import { LOOPBACK } from "../../simulator/listen.ts";
import { UsageError } from "../failure.ts";
import { numberOf } from "../options.ts";

const SPEED_MAX = 1_000;
const PORT_MAX = 65_535;
/** As scenarios have it. */
const SEED_MAX = 2 ** 31 - 1;
const readPort = numberOf(
  "--port",
  (value) => Number.isInteger(value) && value <= PORT_MAX,
  `a port from 0 to ${PORT_MAX}, or 0 for a free port`,
);
const readFirstPort = numberOf(
  "--first-port",
  (value) => Number.isInteger(value) && value <= PORT_MAX,
  `a port from 0 to ${PORT_MAX}, or 0 for free ports`,
);
const readSeed = numberOf(
  "--seed",
  (value) => Number.isInteger(value) && value <= SEED_MAX,
  `a whole number from 0 to ${SEED_MAX}`,
);
const readSpeed = numberOf("--speed", (value) => value <= SPEED_MAX, `a number from 0 to ${SPEED_MAX}, such as 20`);

export function declareSimulate(program: Command): Command {
  return program
    .command("simulate")
    .summary("run a simulated AWS region on this machine")
    .description(
      "Runs a simulated AWS region on this machine until Ctrl-C: EC2, Elastic Load Balancing and Auto Scaling for any AWS client, and load balancers that forward real requests. Requires no AWS account.",
    )
    .option(
      "--scenario <file>",
      "YAML or JSON file that describes the region (docs/scenarios). Default: the cluster of the demo",
    )
    .option("--port <number>", "port of the AWS endpoint; 0 selects a free port", readPort, 0)
    .option(
      "--first-port <number>",
      "port of the first load balancer's first listener; the others, and then the metadata services, have the ports after it; 0 selects free ports",
      readFirstPort,
      0,
    )
    .option(
      "--host <address>",
      "address of the endpoint, the control API and the load balancers; 0.0.0.0 lets other machines connect, without authentication",
      readHost,
      LOOPBACK,
    )
    .option(
      "--speed <factor>",
      `simulated seconds per real second, up to ${SPEED_MAX}; with 0, time stands still until the control API advances it`,
      readSpeed,
      1,
    )
    .option(
      "--seed <number>",
      "seed of everything that is random, such as ids; the same seed gives the same results. Default: the scenario's, or 1",
      readSeed,
    )
    .option("--json", "print one JSON object");
}

/** An empty value would mean every address. */
function readHost(given: string): string {
  if (given.trim() !== "") return given;
  throw new UsageError(`--host is '${given}': give an address of this machine, such as 127.0.0.1`);
}
