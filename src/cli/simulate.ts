import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError } from "commander";
import { ConfigError } from "../config.ts";
import { CREDENTIALS } from "../demo/cluster.ts";
import { DEMO_SCENARIO } from "../demo/scenario.ts";
import { ScaledClock } from "../simulator/clock.ts";
import { type OpenRegion, openRegion } from "../simulator/scenario/open-region.ts";
import { ScenarioError } from "../simulator/scenario/problem.ts";
import { readScenario } from "../simulator/scenario/read-scenario.ts";
import type { Scenario } from "../simulator/scenario/schema.ts";
import { EXIT } from "./exit-codes.ts";

const SPEED_MAX = 1_000;
/** In the text; `--json` lists them all. */
const INSTANCES_SHOWN_MAX = 20;

interface SimulateOptions {
  readonly scenario?: string;
  readonly port: number;
  readonly speed: number;
  readonly json?: boolean;
}

export function addSimulateCommand(program: Command): void {
  program
    .command("simulate")
    .summary("run a simulated AWS region on this machine, for any AWS client")
    .description(
      "Runs a simulated AWS region on 127.0.0.1 until Ctrl-C: EC2, Elastic Load Balancing and Auto Scaling for any AWS client, and load balancers that carry real requests. Needs no AWS account.",
    )
    .option("--scenario <file>", "what the region holds, in YAML or JSON (docs/scenarios). Default: the demo's cluster")
    .option("--port <number>", "the port of AWS's endpoint; 0 is any free one", readPort, 0)
    .option("--speed <factor>", `simulated seconds in a real one, up to ${SPEED_MAX}`, readSpeed, 1)
    .option("--json", "print one JSON object")
    .action(async (options: SimulateOptions) => {
      process.exitCode = await simulate(options);
    });
}

async function simulate({ scenario: file, port, speed, json = false }: SimulateOptions): Promise<number> {
  const scenario = file === undefined ? DEMO_SCENARIO : await readScenarioFile(file);
  const interrupted = nextInterrupt();
  const region = await openOnPort(scenario, port, speed);
  process.stdout.write(`${json ? JSON.stringify(regionReport(region)) : regionText(region)}\n`);
  await interrupted;
  await region.close();
  return EXIT.done;
}

async function readScenarioFile(file: string): Promise<Scenario> {
  try {
    return readScenario(await readFile(file, "utf8"));
  } catch (error) {
    if (error instanceof ScenarioError) throw new ConfigError(error.problems.map((problem) => `${file}: ${problem}`));
    throw new ConfigError([`${file} can't be read: ${(error as Error).message}`]);
  }
}

async function openOnPort(scenario: Scenario, port: number, speed: number): Promise<OpenRegion> {
  try {
    return await openRegion(scenario, { clock: new ScaledClock(speed), port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") throw new ConfigError([`port ${port} is taken: give another --port, or 0 for any`]);
    if (code === "EACCES")
      throw new ConfigError([`port ${port} is not allowed: give a --port above 1023, or 0 for any`]);
    throw error;
  }
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
  const { world, instanceIds, entrances } = region;
  const instances = [...instanceIds].map(([name, id]) => ({ name, id, privateIp: world.instance(id)?.privateIp }));
  return { environment: environmentOf(region), loadBalancers: entrances, instances };
}

/** Lines that a shell can read: what is not a variable is a comment. */
function regionText(region: OpenRegion): string {
  const { entrances, instances, environment } = { ...region, ...regionReport(region) };
  const hidden = instances.length - INSTANCES_SHOWN_MAX;
  return [
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${value}`),
    ...entrances.map(
      ({ type, loadBalancer, port, url }) => `# ${type} load balancer ${loadBalancer}, port ${port}: ${url}`,
    ),
    ...instances
      .slice(0, INSTANCES_SHOWN_MAX)
      .map(({ name, id, privateIp }) => `# instance ${name}: ${id} ${privateIp}`),
    ...(hidden > 0 ? [`# and ${hidden} more instances`] : []),
    "# Ctrl-C ends it.",
  ].join("\n");
}

function readPort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError("Give a port from 0 to 65535.");
  return Number(text);
}

function readSpeed(text: string): number {
  const speed = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || speed <= 0 || speed > SPEED_MAX) {
    throw new InvalidArgumentError(`Give a number above 0 and up to ${SPEED_MAX}, such as 20.`);
  }
  return speed;
}
