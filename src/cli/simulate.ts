import type { Command } from "commander";
import { ConfigError } from "../config/config.ts";
import { readTextFile } from "../config/files.ts";
import { CREDENTIALS } from "../demo/cluster.ts";
import { DEMO_SCENARIO } from "../demo/scenario.ts";
import { printable } from "../drain/errors.ts";
import { ScaledClock } from "../simulator/clock.ts";
import { isEveryAddress, LOOPBACK } from "../simulator/listen.ts";
import { type OpenRegion, openRegion } from "../simulator/scenario/open-region.ts";
import { ScenarioError } from "../simulator/scenario/problem.ts";
import { readScenario } from "../simulator/scenario/read-scenario.ts";
import type { Scenario } from "../simulator/scenario/schema.ts";
import { EXIT } from "./exit-codes.ts";
import { UsageError } from "./failure.ts";
import { numberOf } from "./options.ts";

const SPEED_MAX = 1_000;
const PORT_MAX = 65_535;
/** Thousands of machines and groups. */
const SCENARIO_BYTES_MAX = 1_024 * 1_024;
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
/** Another machine's, one of IPv6 where there is none, and one that needs a zone beside it, such as fe80::1. */
const NOT_AN_ADDRESS_HERE = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"]);
/** A queue's URL, and what became of the message. */
const MESSAGE_MAX = 400;
/** In the text; `--json` lists them all. */
const INSTANCES_SHOWN_MAX = 20;

interface SimulateOptions {
  readonly scenario?: string;
  readonly port: number;
  readonly host: string;
  readonly speed: number;
  readonly json?: boolean;
}

export function addSimulateCommand(program: Command): void {
  program
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
    .option("--json", "print one JSON object")
    .action(async (options: SimulateOptions) => {
      process.exitCode = await simulate(options);
    });
}

async function simulate({ scenario: file, json = false, ...options }: SimulateOptions): Promise<number> {
  const scenario = file === undefined ? DEMO_SCENARIO : await readScenarioFile(file);
  const interrupted = nextInterrupt();
  const region = await open(scenario, options);
  process.stdout.write(`${json ? JSON.stringify(regionReport(region)) : regionText(region, options.host)}\n`);
  await interrupted;
  await region.close();
  return EXIT.done;
}

async function readScenarioFile(file: string): Promise<Scenario> {
  try {
    return readScenario(await readTextFile(file, SCENARIO_BYTES_MAX));
  } catch (error) {
    if (error instanceof ScenarioError) throw new ConfigError(error.problems.map((problem) => `${file}: ${problem}`));
    throw new ConfigError([`${file} can't be read: ${(error as Error).message}`]);
  }
}

async function open(scenario: Scenario, { port, host, speed }: SimulateOptions): Promise<OpenRegion> {
  try {
    const onUndelivered = {
      onDelayed: (error: Error) => complain("event not delivered, to be sent again", error),
      onGivenUp: (error: Error) => complain("event given up", error),
    };
    return await openRegion(scenario, { clock: new ScaledClock(speed), port, host, onUndelivered });
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") throw new ConfigError([`port ${port} is taken: give another --port, or 0 for any`]);
    if (code === "EACCES")
      throw new ConfigError([`port ${port} is not allowed: give a --port above 1023, or 0 for any`]);
    if (syscall === "getaddrinfo" || NOT_AN_ADDRESS_HERE.has(code ?? ""))
      throw new ConfigError([
        `--host is '${printable(host)}', which is not an address of this machine: give one, or 0.0.0.0 for all of them`,
      ]);
    throw error;
  }
}

function complain(what: string, { message }: Error): void {
  process.stderr.write(`hasta-la-vista: ${what}: ${printable(message, MESSAGE_MAX)}\n`);
}

/** Resolves at the first Ctrl-C or SIGTERM. A second one ends the program, and its processes with it. */
function nextInterrupt(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => resolve());
  });
}

function environmentOf({ url, world }: OpenRegion): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: world.region,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  };
}

function regionReport(region: OpenRegion) {
  const { world, instanceIds, entrances, metadata, queues } = region;
  const instances = [...instanceIds].map(([name, id]) => ({ id, privateIp: world.instance(id)?.privateIp, name }));
  return { environment: environmentOf(region), loadBalancers: entrances, instances, metadata, queues };
}

/** Lines that a shell can read: what is not a variable is a comment. */
function regionText(region: OpenRegion, host: string): string {
  const { entrances, instances, environment, metadata, queues } = { ...region, ...regionReport(region) };
  const hidden = instances.length - INSTANCES_SHOWN_MAX;
  return [
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${value}`),
    ...entrances.map(
      ({ type, loadBalancer, port, url }) => `# ${type} load balancer ${loadBalancer}, port ${port}: ${url}`,
    ),
    ...instances
      .slice(0, INSTANCES_SHOWN_MAX)
      .map(({ id, privateIp, name }) => `# instance ${id} at ${privateIp}, ${name} in the scenario`),
    ...(hidden > 0 ? [`# and ${hidden} more instances`] : []),
    ...metadata.slice(0, INSTANCES_SHOWN_MAX).map(({ instanceId, url }) => `# metadata of ${instanceId}: ${url}`),
    ...(metadata.length > INSTANCES_SHOWN_MAX
      ? [`# and that of ${metadata.length - INSTANCES_SHOWN_MAX} more instances`]
      : []),
    ...queues.map((url) => `# events go to ${url}`),
    ...(isEveryAddress(host) ? ["# Elsewhere, put this machine's name or address in place of the one above."] : []),
    "# Ctrl-C ends it.",
  ].join("\n");
}

/** An empty one would be every address. */
function readHost(given: string): string {
  if (given.trim() !== "") return given;
  throw new UsageError(`--host is '${given}': give an address of this machine, such as 127.0.0.1`);
}
