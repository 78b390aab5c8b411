import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Timing } from "../../src/simulator/timing.ts";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import { World } from "../../src/simulator/world/world.ts";
import { startService } from "../support/child-process.ts";
import { metricsQueries } from "../support/metrics-document.ts";
import { VPC } from "../support/simulated-region.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

const SECRET = "a-secret-nobody-may-see";
/** These tests run on real time. */
const TIMING: Partial<Timing> = {
  albDeregistration: [0, 100],
  nlbDeregistration: [0, 100],
  classicDeregistration: [0, 100],
  shuttingDownMs: 0,
};
const ALLOWANCES = {
  ALB_PROPAGATION: "1",
  NLB_PROPAGATION: "1",
  GWLB_IDLE: "1",
  GWLB_FAILOVER: "1",
  CLASSIC_MINIMUM: "1",
  MIN_HEALTHY: "0",
};
const KINDS = ["alb", "nlb", "gwlb", "classic", "unattached"];
const PROTOCOLS: Record<LoadBalancerType, string> = { application: "HTTP", network: "TCP", gateway: "GENEVE" };

/** The service in front of a region with a node in a pool of every kind, one in a pool that drains for long, and others. */
async function served() {
  const world = new World({ clock: new ScaledClock(1), timing: TIMING });
  const tags = { "kubernetes.io/cluster/demo": "owned" };
  const [everywhere, slow, alone, gone] = [1, 2, 3, 4].map((number) =>
    world.addInstance({ id: `i-${String(number).padStart(17, "0")}`, vpcId: VPC, privateIp: `10.0.0.${number}`, tags }),
  );
  if (everywhere === undefined || slow === undefined || alone === undefined || gone === undefined)
    throw new Error("no nodes");
  const group = (name: string, protocol: string, id: string, delaySeconds = 0) => {
    const added = world.addTargetGroup({ name, vpcId: VPC, protocol, port: 80, targetType: "instance" });
    added.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
    world.registerTarget(added, { id }, { settled: true });
    return added;
  };
  const attach = (type: LoadBalancerType, added: ReturnType<typeof group>) => {
    const loadBalancer = world.addLoadBalancer({ name: added.name, type, vpcId: VPC });
    const defaultActions = [{ type: "forward", groups: [{ arn: added.arn, weight: 1 }] }] as const;
    world.addListener(loadBalancer, { protocol: added.protocol, port: 80, defaultActions });
  };
  for (const type of ["application", "network", "gateway"] as const) {
    const added = group(type, PROTOCOLS[type], everywhere.id);
    // Or else its flows would be held for as long as they may be idle.
    if (type === "gateway") added.attributes.set("target_failover.on_deregistration", "rebalance");
    attach(type, added);
  }
  group("unattached", "HTTP", everywhere.id);
  attach("application", group("slow", "HTTP", slow.id, 3_600));
  const classic = world.addClassic({
    name: "classic",
    vpcId: VPC,
    listeners: [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 80 }],
  });
  classic.register(everywhere.id, world.clock.now(), { settled: true });
  world.terminateInstance(gone);

  const simulator = new Simulator(world);
  const endpoint = await simulator.listen();
  onTestFinished(() => simulator.close());
  simulator.faults.add({
    action: "DescribeTargetGroups",
    when: { first: 1 },
    effect: { type: "error", code: "Throttling" },
  });
  const service = async (options: Readonly<Record<string, string>> = {}) => {
    const { url } = await startService({ SECRET, ...ALLOWANCES, AWS_ENDPOINT_URL: endpoint, ...options });
    const drain = async (id: string, more: object = {}) => {
      const headers = { authorization: `Bearer ${SECRET}` };
      const init = { method: "POST", headers, body: JSON.stringify({ id, ...more }) };
      await (await fetch(`${url}/drain`, init)).text();
    };
    return { drain, metrics: async () => (await fetch(`${url}/metrics`)).text() };
  };
  return { service, ids: { everywhere: everywhere.id, slow: slow.id, alone: alone.id, gone: gone.id } };
}

/** What a series says in the text, NaN where it isn't there. */
function valueIn(text: string, series: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`hasta_la_vista_${series} `));
  return Number(line?.split(" ").at(-1) ?? Number.NaN);
}

async function check(text: string) {
  const { code, stdout, stderr } = await new RunningProgram("promtool", ["check", "metrics"], {}, text).ended;
  return { code, said: stdout + stderr };
}

/** As rules that record each query. JSON is YAML. */
async function checkRules(queries: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "rules-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const rules = queries.map((expr, index) => ({ record: `query_${index}`, expr }));
  await writeFile(join(folder, "rules.yml"), JSON.stringify({ groups: [{ name: "documented", rules }] }));
  const { code, stdout, stderr } = await new RunningProgram("promtool", ["check", "rules", join(folder, "rules.yml")])
    .ended;
  return { code, said: stdout + stderr };
}

describeWith("promtool", "Prometheus's own checker", () => {
  test("finds nothing in the service's metrics, which count every kind of hold and every way to end", async () => {
    const { service, ids } = await served();
    const [patient, hasty] = await Promise.all([service(), service({ TIMEOUT: "5" })]);
    expect(await check(await patient.metrics())).toEqual({ code: 0, said: "" });
    await Promise.all([
      patient.drain(ids.everywhere),
      patient.drain(ids.alone),
      patient.drain(ids.gone),
      patient.drain("i-0dddddddddddddddd"),
      patient.drain(ids.slow, { dryRun: true }),
      hasty.drain(ids.slow),
    ]);
    const text = await patient.metrics();
    const afterTimeout = await hasty.metrics();
    expect(await check(text)).toEqual({ code: 0, said: "" });
    expect(await check(afterTimeout)).toEqual({ code: 0, said: "" });

    const value = (series: string) => valueIn(text, series);
    expect(valueIn(afterTimeout, 'drains_total{outcome="deadline-passed"}')).toBe(1);
    expect(valueIn(afterTimeout, 'registrations_draining{kind="alb"}')).toBe(0);
    for (const outcome of ["drained", "nothing-registered", "instance-gone", "failed", "planned"]) {
      expect([outcome, value(`drains_total{outcome="${outcome}"}`)]).toEqual([outcome, 1]);
    }
    for (const kind of KINDS) {
      expect([kind, value(`hold_duration_seconds_count{kind="${kind}"}`)]).toEqual([kind, 1]);
      expect([kind, value(`registrations_draining{kind="${kind}"}`)]).toEqual([kind, 0]);
    }
    expect(value("drains_running")).toBe(0);
    expect(text).toContain("# TYPE hasta_la_vista_deadline_margin_seconds histogram");
    expect(value('drain_duration_seconds_count{outcome="drained"}')).toBe(1);
    // The one that was throttled is whichever came first.
    const throttles = 'aws_throttles_total{action="elasticloadbalancing:DescribeTargetGroups"}';
    expect([text, afterTimeout].map((each) => valueIn(each, throttles) || 0).sort()).toEqual([0, 1]);
    expect(value('aws_calls_total{action="ec2:DescribeInstances",result="ok"}')).toBeGreaterThan(0);
    expect(value("last_success_timestamp_seconds")).toBeGreaterThan(0);
    expect(text).toMatch(/^hasta_la_vista_build_info\{version=".+"\} 1$/m);
  });

  test("understands every query of docs/metrics.md, and would not understand half of one", async () => {
    const queries = metricsQueries().map(({ query }) => query);
    expect(queries.length).toBeGreaterThan(15);
    expect(await checkRules(queries)).toMatchObject({ code: 0 });
    expect((await checkRules(queries.map((query) => query.slice(0, -1)))).code).not.toBe(0);
  });

  test("understands the rules, and has each alert fire where it should and only there", async () => {
    const checked = await new RunningProgram("promtool", ["check", "rules", "deploy/prometheus/rules.yaml"]).ended;
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringMatching(/SUCCESS: \d+ rules found/) });
    const { code, stdout, stderr } = await new RunningProgram("promtool", [
      "test",
      "rules",
      "test/conformance/prometheus/rules.yaml",
    ]).ended;
    expect({ code, said: code === 0 ? "" : stdout + stderr }).toEqual({ code: 0, said: "" });
  });

  test("would find a metric without help, and a counter with the wrong name", async () => {
    const text = "# TYPE drains counter\ndrains 1\n";
    const { code, said } = await check(text);
    expect(code).toBe(3);
    expect(said).toMatch(/no help text/);
    expect(said).toMatch(/should have "_total" suffix/);
  });
});
