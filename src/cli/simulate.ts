import { ConfigError } from "../config/config.ts";
import { fileProblem, readTextFile } from "../config/files.ts";
import { CREDENTIALS } from "../demo/cluster.ts";
import { DEMO_SCENARIO } from "../demo/scenario.ts";
import { newAbort } from "../drain/abort.ts";
import { printable } from "../drain/errors.ts";
import { ScaledClock } from "../simulator/clock.ts";
import { CONTROL_PREFIX } from "../simulator/control/controlled-region.ts";
import { isEveryAddress } from "../simulator/listen.ts";
import { type OpenRegion, openRegion } from "../simulator/scenario/open-region.ts";
import { ScenarioError } from "../simulator/scenario/problem.ts";
import { readScenario } from "../simulator/scenario/read-scenario.ts";
import type { Scenario } from "../simulator/scenario/schema.ts";
import type { Call, Output, Streams } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { nextInterrupt } from "./shutdown.ts";

/** Thousands of machines and groups. */
const SCENARIO_BYTES_MAX = 1_024 * 1_024;
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
  readonly firstPort: number;
  readonly seed?: number;
  readonly json?: boolean;
}

export async function runSimulate({ options, streams }: Call): Promise<number> {
  const { scenario: file, json = false, seed, ...where } = options as unknown as SimulateOptions;
  const stop = newAbort();
  const interrupted = nextInterrupt(streams).then(() => stop.abort());
  const described = file === undefined ? DEMO_SCENARIO : await readScenarioFile(file);
  const scenario = seed === undefined ? described : { ...described, seed };
  if (where.port !== 0 && where.port === where.firstPort)
    throw new ConfigError([`--first-port and --port are both ${where.port}: give different ones`]);
  const region = await open(scenario, where, streams, stop.signal).catch((error: unknown) => {
    if (stop.signal.aborted) return undefined; // It was interrupted while it opened, and has left nothing open.
    throw error instanceof ScenarioError ? problemsOf(error, file) : error;
  });
  if (region === undefined) return EXIT.done;
  streams.stdout.write(`${json ? JSON.stringify(regionReport(region)) : regionText(region, where.host)}\n`);
  await interrupted;
  await region.close();
  return EXIT.done;
}

async function readScenarioFile(file: string): Promise<Scenario> {
  try {
    return readScenario(await readTextFile(file, SCENARIO_BYTES_MAX));
  } catch (error) {
    if (error instanceof ScenarioError) throw problemsOf(error, file);
    throw new ConfigError([`${file} can't be read: ${fileProblem(error as NodeJS.ErrnoException)}`]);
  }
}

/** `file`: absent of the demo's scenario, which has none. */
function problemsOf({ problems }: ScenarioError, file = "the scenario"): ConfigError {
  return new ConfigError(problems.map((problem) => `${file}: ${problem}`));
}

async function open(
  scenario: Scenario,
  { port, host, speed, firstPort }: Pick<SimulateOptions, "port" | "host" | "speed" | "firstPort">,
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<OpenRegion> {
  try {
    const onUndelivered = {
      onDelayed: (error: Error) => complain(stderr, "event not delivered, will be retried", error),
      onGivenUp: (error: Error) => complain(stderr, "event dropped", error),
    };
    const onProgramEnded = ({ id }: { readonly id: string }) =>
      stderr.write(
        `hasta-la-vista: the process of ${id} has ended unexpectedly: the machine refuses connections until POST ${CONTROL_PREFIX}recoveries starts another
`,
      );
    const clock = new ScaledClock(speed);
    return await openRegion(scenario, { clock, port, host, firstPort, signal, onUndelivered, onProgramEnded });
  } catch (error) {
    const { code, syscall, port: refused = port } = error as NodeJS.ErrnoException & { readonly port?: number };
    const flag = refused === port ? "--port" : "--first-port";
    if (code === "EADDRINUSE")
      throw new ConfigError([`port ${refused} is already in use: give another ${flag}, or 0 for a free port`]);
    if (code === "EACCES")
      throw new ConfigError([
        `this user may not listen on port ${refused}: give a ${flag} above 1023, or 0 for a free port`,
      ]);
    if (code === "ERR_SOCKET_BAD_PORT")
      throw new ConfigError([
        `--first-port is ${firstPort}: the listeners need ports above 65535, so give a lower one, or 0 for free ports`,
      ]);
    if (syscall === "getaddrinfo" || NOT_AN_ADDRESS_HERE.has(code ?? ""))
      throw new ConfigError([
        `--host is '${printable(host)}', which is not an address of this machine: give one, or 0.0.0.0 for all addresses`,
      ]);
    throw error;
  }
}

function complain(stderr: Output, what: string, { message }: Error): void {
  stderr.write(`hasta-la-vista: ${what}: ${printable(message, MESSAGE_MAX)}\n`);
}

function environmentOf({ url, world }: OpenRegion): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: world.region,
    // Version 1 of the AWS CLI and boto3 read only this one.
    AWS_DEFAULT_REGION: world.region,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  };
}

function regionReport(region: OpenRegion) {
  const { world, instanceIds, entrances, metadata, queues } = region;
  const instances = [...instanceIds].map(([name, id]) => ({ id, privateIp: world.instance(id)?.privateIp, name }));
  const control = new URL(CONTROL_PREFIX, region.url).href;
  const { seed } = world.random;
  return { environment: environmentOf(region), control, seed, loadBalancers: entrances, instances, metadata, queues };
}

/** Lines that a shell can read: everything except variables is a comment. */
function regionText(region: OpenRegion, host: string): string {
  const { entrances, instances, environment, metadata, queues, control, seed } = {
    ...region,
    ...regionReport(region),
  };
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
    `# seed ${seed}; control API at ${control}, without authentication`,
    "# Ready. Ctrl-C ends it.",
  ].join("\n");
}
