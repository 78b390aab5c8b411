import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { MetadataListeners } from "../../src/simulator/metadata/metadata-listeners.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { OTHER_ID } from "../support/account.ts";
import { accountInKubernetes } from "../support/account-in-kubernetes.ts";
import { Child, startService } from "../support/child-process.ts";
import { BOARD } from "../support/grafana-board.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { realQueue } from "../support/real-queue.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";
import { VPC } from "../support/simulated-region.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

const SECRET = RANDOM_SECRET;
const SLOW_ID = "i-0123456789abcdef2";
/** Scrapes come every second, and the machine may be busy. */
const PATIENCE = { timeout: 60_000, interval: 500 };

interface Answer<T> {
  readonly status: string;
  readonly data: T;
}
interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A Prometheus that scrapes `targets` every second, by their jobs, and evaluates the rules. */
async function prometheusOf(targets: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), "prometheus-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const configuration = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [resolve("deploy/prometheus/rules.yaml")],
    scrape_configs: Object.entries(targets).map(([job, url]) => ({
      job_name: job,
      static_configs: [{ targets: [new URL(url).host], labels: { namespace: "kube-system" } }],
    })),
  };
  // JSON is YAML.
  await writeFile(join(folder, "prometheus.yml"), JSON.stringify(configuration));
  const program = new RunningProgram("prometheus", [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    "--web.listen-address=127.0.0.1:0",
  ]);
  const [, address] = await program.said(/msg="Listening on" address=(127\.0\.0\.1:\d+)/);
  await program.said(/Server is ready to receive web requests/);
  const get = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`http://${address}/api/v1/${path}`);
    const { data } = (await answer.json()) as Answer<T>;
    expect([path, answer.status]).toEqual([path, 200]);
    return data;
  };
  const query = async (expr: string) => {
    const { result } = await get<{ readonly result: readonly Sample[] }>(`query?query=${encodeURIComponent(expr)}`);
    return result.filter(({ value: [, number] }) => number !== "NaN");
  };
  return { get, query };
}

/** As Grafana asks it, of a board with everything selected. */
function asked(expr: string): string {
  return expr
    .replaceAll("$__rate_interval", "1m")
    .replaceAll("$__range", "5m")
    .replaceAll("$namespace", ".*")
    .replaceAll("$job", ".*");
}

/** The service as a replica that reads a queue, and an agent, both built, with everything that has series of its own. */
async function scene() {
  const { world, simulator, env } = await accountInKubernetes([], 1);
  const slow = world.addInstance({ id: SLOW_ID, vpcId: VPC, privateIp: "10.0.1.7" });
  const group = world.addTargetGroup({ name: "slow", vpcId: VPC, protocol: "HTTP", port: 80, targetType: "instance" });
  group.attributes.set("deregistration_delay.timeout_seconds", "3600");
  world.registerTarget(group, { id: slow.id }, { settled: true });
  const loadBalancer = world.addLoadBalancer({ name: "slow", type: "application", vpcId: VPC });
  const defaultActions = [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }] as const;
  world.addListener(loadBalancer, { protocol: "HTTP", port: 80, defaultActions });
  simulator.faults.add({
    action: "DescribeTargetGroups",
    when: { first: 1 },
    effect: { type: "error", code: "Throttling" },
  });
  const queue = await realQueue();
  const { url } = await startService({
    ...env,
    SECRET,
    QUEUE: queue.url,
    STATE_DIR: await stateDir(),
    NODE_TRIGGERS: "none",
    MIN_HEALTHY: "0",
    LEASE: "hasta-la-vista",
    POD_NAME: "pod-1",
    POD_NAMESPACE: "kube-system",
    POD_IP: "127.0.0.1",
    NODE_NAME: "elsewhere",
  });
  const listeners = new MetadataListeners(world);
  onTestFinished(() => listeners.close());
  const agent = new Child("service", ["watch", "--server", url], {
    SECRET,
    METRICS_PORT: "0",
    METADATA_INTERVAL: "1",
    AWS_EC2_METADATA_SERVICE_ENDPOINT: await listeners.open(world.instances.get(OTHER_ID) as Instance),
    AWS_REGION: undefined,
  });
  const { port } = JSON.parse(await agent.line(/"metrics listening"/));
  const drain = async (id: string, more: object) => {
    const init = {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}` },
      body: JSON.stringify({ id, ...more }),
    };
    const { status } = await fetch(`${url}/drain`, init);
    return status;
  };
  const interrupt = () => world.interruptions.interrupt(world.instances.get(OTHER_ID) as Instance);
  return { url, agentUrl: `http://127.0.0.1:${port}`, agent, drain, interrupt };
}

describeWith("prometheus", "a real Prometheus", () => {
  test("answers every query of the dashboard with the service's own series, and finds no fault in a sound service", async () => {
    const { url, agentUrl, agent, drain, interrupt } = await scene();
    const { get, query } = await prometheusOf({ "hasta-la-vista": url, agents: agentUrl });
    const has = (expr: string) => vi.waitUntil(async () => (await query(expr)).length > 0, PATIENCE);
    await has("sum(up) == 2 and sum(hasta_la_vista_ready) == 1 and sum(hasta_la_vista_leader) == 1");
    await has("hasta_la_vista_queue_last_read_timestamp_seconds and hasta_la_vista_index_list_timestamp_seconds");

    const ended = drain("i-0123456789abcdef0", { deadline: 600 });
    interrupt();
    await agent.line(/"remote drain completed"/);
    expect(await ended).toBe(200);
    // It runs on until the end of the test.
    expect(await drain(SLOW_ID, { deadline: 1_200, wait: false })).toBe(202);

    const panels = BOARD.flatMap((row) => row.panels);
    const empty = async () => {
      const queries = panels.flatMap(({ title, queries: all }) =>
        all.map(({ expr }) => ({ title, expr: asked(expr) })),
      );
      const found = await Promise.all(queries.map(async (one) => ({ ...one, samples: await query(one.expr) })));
      return found.filter(({ samples }) => samples.length === 0).map(({ title, expr }) => `${title}: ${expr}`);
    };
    await expect.poll(empty, PATIENCE).toEqual([]);
    expect(panels.length).toBeGreaterThan(30);
    const number = async (expr: string) => Number((await query(expr))[0]?.value[1]);
    await expect.poll(() => number("sum(hasta_la_vista_registrations_at_risk)"), PATIENCE).toBe(1);
    await expect.poll(() => number('sum(hasta_la_vista_drains_total{outcome="drained"})'), PATIENCE).toBe(2);
    await expect.poll(() => number('sum(hasta_la_vista_agent_drains_total{result="drained"})'), PATIENCE).toBe(1);

    interface Rule {
      readonly name: string;
      readonly type: string;
      readonly health: string;
      readonly state?: string;
    }
    const alerts = async () => {
      const { groups } = await get<{ readonly groups: readonly { readonly rules: readonly Rule[] }[] }>("rules");
      // What is recorded is evaluated once a minute.
      return groups.flatMap(({ rules }) => rules).filter(({ type }) => type === "alerting");
    };
    const unevaluated = async () => (await alerts()).filter(({ health }) => health !== "ok");
    await expect.poll(unevaluated, PATIENCE).toEqual([]);
    const evaluated = await alerts();
    expect(evaluated.length).toBeGreaterThan(15);
    expect(evaluated.filter(({ state }) => state !== "inactive").map(({ name }) => name)).toEqual([]);
  });
});
