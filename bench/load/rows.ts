import type { Socket } from "node:net";
import { SystemClock } from "../../src/drain/clock.ts";
import { Forked } from "../messages/forked.ts";
import { nodeId, type RegionPlan } from "../region.ts";
import { ServiceProcess } from "../soak/service-process.ts";
import { Caller, pipelining, SECRET, silent, steadily, wait } from "./clients.ts";
import type { AskProbe } from "./probe-process.ts";
import type { AskLoadRegion } from "./region-process.ts";

export interface LoadRow {
  readonly name: string;
  readonly seconds: number;
  readonly healthP50Ms: number;
  readonly healthP99Ms: number;
  readonly healthMaxMs: number;
  readonly unanswered: number;
  readonly stallP99Ms: number;
  readonly stallMaxMs: number;
  readonly cpuSeconds: number;
  readonly beforeMiB: number;
  readonly peakMiB: number;
  /** What did not go as it should, in sentences. */
  readonly faults: readonly string[];
}

interface Place {
  readonly port: number;
  readonly faults: string[];
}

interface Load {
  readonly name: string;
  readonly nodes: number;
  /** Resolves when it is over. */
  readonly run: (place: Place) => Promise<void>;
}

const NODES = 500;
const POOLS = 20;
const PROBES_PER_SECOND = 20;
const REQUESTS_PER_SECOND = 50;
/** For the index to read all pools once. */
const WARM_MS = 12_000;
const ATTACK_MS = 15_000;
const PIPELINED = 1_500;
const PIPELINES = 10;
const CONNECTIONS = 12_500;
/** Who ask for a node's drain, each for one after the other. */
const CALLERS = 50;
const STATUS_EVERY_MS = 500;
const clock = new SystemClock();

export const LOADS: readonly Load[] = [
  { name: "idle", nodes: 5, run: () => wait(clock, ATTACK_MS) },
  ...["/openapi.json", "/metrics", "/health", "/nothing"].map((path) => ({
    name: `pipelined ${path}`,
    nodes: 5,
    run: ({ port }: Place) => pipelined({ port, path, reads: true }),
  })),
  {
    name: "unread /openapi.json",
    nodes: 5,
    run: ({ port }) => pipelined({ port, path: "/openapi.json", reads: false }),
  },
  { name: "silent connections", nodes: 5, run: silentConnections },
  { name: "drains", nodes: NODES, run: drains },
];

/** `warmMs`: how long the service runs before the load. */
export async function loadRow({ name, nodes, run }: Load, warmMs = WARM_MS): Promise<LoadRow> {
  const plan: RegionPlan = {
    nodes,
    groups: POOLS,
    classics: 0,
    memberGroups: POOLS,
    memberClassics: 0,
    delaySeconds: 30,
  };
  const region = new Forked<AskLoadRegion>("../load/region-process");
  const probe = new Forked<AskProbe>("../load/probe-process");
  let service: ServiceProcess | undefined;
  try {
    const { url } = await region.ask("build", { plan });
    service = await ServiceProcess.start(environment(url), { probe: "../load/probe.mjs" });
    const port = Number(new URL(service.url).port);
    await wait(clock, warmMs);
    const before = await service.values();
    await probe.ask("start", { port, everyMs: 1_000 / PROBES_PER_SECOND });
    const faults: string[] = [];
    const began = clock.now();
    await run({ port, faults });
    const seconds = (clock.now() - began) / 1_000;
    const after = await service.values();
    const healthMs = await probe.ask("stop", {});
    return { name, seconds, faults, ...health(healthMs), ...used(before, after) };
  } finally {
    service?.kill();
    await Promise.all([region.close(), probe.close()]);
  }
}

function environment(url: string) {
  return {
    ...{ SECRET, CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0", MIN_HEALTHY: "0", LOG_LEVEL: "info" },
    ...{ AWS_REGION: "eu-west-1", AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: "load", AWS_SECRET_ACCESS_KEY: "load" },
  };
}

function health(sortedMs: readonly number[]) {
  const at = (share: number) =>
    sortedMs[Math.min(sortedMs.length - 1, Math.floor(sortedMs.length * share))] ?? Number.NaN;
  const unanswered = sortedMs.filter((ms) => ms === Number.POSITIVE_INFINITY).length;
  return { healthP50Ms: at(0.5), healthP99Ms: at(0.99), healthMaxMs: at(1), unanswered };
}

type Values = Readonly<Record<string, number>>;

function used(before: Values, after: Values) {
  const of = (values: Values, name: string) => values[name] ?? Number.NaN;
  return {
    stallP99Ms: of(after, "stallP99Ms"),
    stallMaxMs: of(after, "stallMaxMs"),
    cpuSeconds: of(after, "cpuSeconds") - of(before, "cpuSeconds"),
    beforeMiB: of(before, "peakMiB"),
    peakMiB: of(after, "peakMiB"),
  };
}

async function pipelined({
  port,
  path,
  reads,
}: {
  readonly port: number;
  readonly path: string;
  readonly reads: boolean;
}) {
  const options = { path, times: PIPELINED, reads };
  const sockets = Array.from({ length: PIPELINES }, () => pipelining(port, options));
  await wait(clock, ATTACK_MS);
  for (const socket of sockets) socket.destroy();
}

async function silentConnections({ port }: Place) {
  const sockets: Socket[] = [];
  for (let count = 0; count < CONNECTIONS; count += 1) sockets.push(await silent(port));
  await wait(clock, ATTACK_MS);
  for (const socket of sockets) socket.destroy();
}

/** All nodes are drained at once, while other requests come steadily. */
async function drains({ port, faults }: Place) {
  const caller = new Caller(port);
  const over = new AbortController();
  const ids = Array.from({ length: NODES }, (_, node) => nodeId(node));
  const begun: string[] = [];
  const others = steadily(REQUESTS_PER_SECOND, (number) => askSomething(number), clock, over.signal);
  const left = [...ids];
  const callers = Array.from({ length: CALLERS }, async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) await begin(id);
  });
  await Promise.all(callers);
  await allEnded();
  over.abort();
  await others;
  caller.close();

  async function begin(id: string) {
    const { status, body } = await caller.ask("POST", `/drain?id=${id}&wait=false`);
    if (status === 202) begun.push((JSON.parse(body) as { readonly drainId: string }).drainId);
    else faults.push(`the drain of ${id} was answered ${status}: ${body}`);
  }

  async function allEnded() {
    for (;;) {
      const { body } = await caller.ask("GET", "/drains?limit=1000");
      const { drains: all } = JSON.parse(body) as { readonly drains: readonly { readonly outcome?: string }[] };
      const ended = all.filter(({ outcome }) => outcome !== undefined);
      if (ended.length < begun.length) await wait(clock, STATUS_EVERY_MS);
      else {
        // A node that is asked for again after its drain has nothing left.
        const isRight = (outcome: string | undefined) => outcome === "drained" || outcome === "nothing-registered";
        const other = ended.flatMap(({ outcome }) => (isRight(outcome) ? [] : [outcome]));
        if (other.length > 0)
          faults.push(`${other.length} drains ended otherwise than drained: ${[...new Set(other)]}`);
        return;
      }
    }
  }

  async function askSomething(number: number) {
    const node = ids[number % ids.length] ?? "";
    const drain = begun[number % Math.max(1, begun.length)];
    const ways = [
      () => caller.ask("GET", "/health"),
      () => caller.ask("GET", "/metrics"),
      () => caller.ask("GET", "/drains"),
      () => caller.ask("GET", `/nodes/${node}`),
      () => caller.ask("POST", `/drain?id=${node}&wait=false`),
      () => (drain === undefined ? caller.ask("GET", "/ready") : caller.ask("GET", `/drains/${drain}`)),
    ];
    const { status, body } = await (ways[number % ways.length] ?? (() => caller.ask("GET", "/health")))();
    if (status >= 400) faults.push(`a request beside the drains was answered ${status}: ${body.slice(0, 200)}`);
  }
}
