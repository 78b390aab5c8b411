// npm run bench:cluster: what the built service needs to watch a large cluster, and what it asks its API server when many
// nodes leave at once; see docs/performance.md. In real time, with the API server as a process of its own.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { Fleet, REGION } from "../soak/fleet.ts";
import { ServiceProcess } from "../soak/service-process.ts";
import { ApiServerProcess } from "./api-server.ts";

const HELP = `npm run bench:cluster -- [options]

  --nodes <n>      Node objects (5000)
  --pods <n>       pods on each (10)
  --leaving <n>    nodes that Karpenter removes at once (1000)
  --events <n>     changes of pods in a second (20)
  --seconds <n>    for so long, and for as long after the nodes were tainted (30)
  --service <path> another build of the service to measure (dist/service.js)
`;
const SECRET = "cluster";
const WITHIN_MS = 120_000;
const clock = new SystemClock();
const never = newAbort().signal;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: "string", default: "5000" },
      pods: { type: "string", default: "10" },
      leaving: { type: "string", default: "1000" },
      events: { type: "string", default: "20" },
      seconds: { type: "string", default: "30" },
      service: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const [nodes, pods, leaving, events, seconds] = [
    Number(values.nodes),
    Number(values.pods),
    Number(values.leaving),
    Number(values.events),
    Number(values.seconds),
  ];
  if (values.help || !(nodes >= leaving && leaving >= 1 && pods >= 0 && events >= 0 && seconds >= 1)) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const folder = await mkdtemp(join(tmpdir(), "cluster-"));
  try {
    await measure({ folder, nodes, pods, leaving, events, seconds, service: values.service });
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Measuring {
  readonly folder: string;
  readonly nodes: number;
  readonly pods: number;
  readonly leaving: number;
  readonly events: number;
  readonly seconds: number;
  readonly service: string | undefined;
}

async function measure({ folder, nodes, pods, leaving, events, seconds, service: bundle }: Measuring): Promise<void> {
  const fleet = new Fleet({ clock: new ScaledClock(1), nodes: leaving, delaySeconds: 300 });
  const simulator = new Simulator(fleet.world);
  const api = await ApiServerProcess.start(members(fleet, nodes), pods);
  const kubeconfig = join(folder, "config");
  await writeFile(kubeconfig, kubeconfigOf(api.url));
  const environment = {
    ...{ SECRET, CLOUDPROVIDER: "aws", AWS_REGION: REGION, HOST: "127.0.0.1", PORT: "0", UNDO: "true" },
    ...{ AWS_ENDPOINT_URL: await simulator.listen(), AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" },
    MIN_HEALTHY: "0",
  };
  const over = newAbort();
  const probe = "../cluster/probe.mjs";
  const options = { probe, ...(bundle === undefined ? {} : { bundle }) };
  try {
    const alone = await ServiceProcess.start(environment, options);
    await clock.sleep(10_000, never);
    print("without KUBERNETES, after 10 s", await alone.values());
    alone.kill();
    const service = await ServiceProcess.start({ ...environment, KUBERNETES: kubeconfig }, options);
    try {
      await api.until((counts) => (counts["nodes watch"] ?? 0) > 0 && (counts["pods watch"] ?? 0) > 0, 30_000);
      const watching = await service.values();
      print(`${nodes} nodes and ${nodes * pods} pods listed, and watched`, watching);
      await clock.sleep(seconds * 1_000, never);
      const quiet = await service.values();
      print(`nothing for ${seconds} s`, since(quiet, watching));
      void touchPods(api, events, over.signal);
      await clock.sleep(seconds * 1_000, never);
      print(`${events} changes of pods a second for ${seconds} s`, since(await service.values(), quiet));
      const before = await api.counts();
      api.tell({ type: "taint", nodes: leaving });
      const begun = clock.now();
      const excluded = await api.until(
        (counts) => (counts["PATCH"] ?? 0) - (before["PATCH"] ?? 0) >= leaving,
        WITHIN_MS,
      );
      const took = excluded ? `${((clock.now() - begun) / 1_000).toFixed(1)} s` : `more than ${WITHIN_MS / 1_000} s`;
      process.stdout.write(`${leaving} nodes tainted at once: ${took} until the last one was labelled\n`);
      await clock.sleep(seconds * 1_000, never);
      const after = await api.counts();
      const asked = Object.keys(after).map((what) => `${what} ${(after[what] ?? 0) - (before[what] ?? 0)}`);
      process.stdout.write(`requests from then until ${seconds} s later: ${asked.sort().join(", ")}\n`);
      print("after that", await service.values());
    } finally {
      service.kill();
    }
  } finally {
    over.abort();
    api.kill();
    await simulator.close();
  }
}

async function touchPods(api: ApiServerProcess, perSecond: number, signal: AbortSignal): Promise<void> {
  for (let event = 0; !signal.aborted; event += 1) {
    api.tell({ type: "touch", pod: event * 7 });
    await clock.sleep(1_000 / perSecond, signal).catch(() => {});
  }
}

/** Those that leave are machines; the others are but Node objects. */
function members(fleet: Fleet, nodes: number): readonly { readonly name: string; readonly id: string }[] {
  // The fleet's own names repeat.
  const machines = fleet.members.map(({ id }) => ({ id, name: id }));
  const others = Array.from({ length: nodes - machines.length }, (_, at) => ({
    name: `other-${at}`,
    id: `i-f${String(at).padStart(16, "0")}`,
  }));
  return [...machines, ...others];
}

function kubeconfigOf(server: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "bench",
    contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
    clusters: [{ name: "bench", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "bench", user: { token: "bench" } }],
  });
}

/** With the time of processors since an earlier moment alone. */
function since(values: Readonly<Record<string, number>>, before: typeof values): typeof values {
  return { ...values, cpuSeconds: (values["cpuSeconds"] ?? 0) - (before["cpuSeconds"] ?? 0) };
}

function print(what: string, values: Readonly<Record<string, number>>): void {
  const { heapMiB = 0, peakMiB = 0, cpuSeconds = 0 } = values;
  const numbers = `${heapMiB.toFixed(1)} MiB of heap, ${peakMiB.toFixed(0)} MiB resident at its peak, ${cpuSeconds.toFixed(2)} s of CPU`;
  process.stdout.write(`${what}: ${numbers}\n`);
}
