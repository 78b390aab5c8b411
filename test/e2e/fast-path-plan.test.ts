import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Simulator } from "../../src/simulator/simulator.ts";
import { folder, kubeconfig } from "../support/api-client.ts";
import { NODES, nodeObject } from "../support/cluster-actors.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";
import { runHere } from "../support/run-here.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const TERMINATION = "target_health_state.unhealthy.connection_termination.enabled";
const INTERVAL = "target_health_state.unhealthy.draining_interval_seconds";
const KUBE_PROXY = { protocol: "HTTP", port: "10256", path: "/healthz", timeoutSeconds: 6, matcher: "200-399" };

/** A node behind an NLB, and the plan of its drain as `plan` prints it. */
async function planned({
  attributes = {} as Readonly<Record<string, string>>,
  probe = KUBE_PROXY,
  intervalMs = 10_000,
  args = ["--nlb-fast-path"],
} = {}) {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "tcp", type: "network", nodes: [node, region.node()] });
  group.probe = probe;
  group.healthCheck = { intervalMs, healthyThreshold: 2, unhealthyThreshold: 2 };
  for (const [key, value] of Object.entries(attributes)) group.attributes.set(key, value);
  const simulator = new Simulator(region.world);
  onTestFinished(() => simulator.close());
  const AWS_ENDPOINT_URL = await simulator.listen();
  const fake = await FakeApiServer.start(region.clock);
  fake.put(NODES, nodeObject(node));
  const KUBERNETES = join(folder(), "config");
  writeFileSync(KUBERNETES, kubeconfig({ server: fake.url, ca: fake.ca }));
  const { code, stdout, stderr } = await runHere(["plan", node.id, ...args], { AWS_ENDPOINT_URL, KUBERNETES });
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}

describe("the plan of a node behind an NLB, with NLB_FAST_PATH", () => {
  test("says how soon the health checks fail", async () => {
    expect(await planned({ attributes: { [TERMINATION]: "false" } })).toContain(
      "Fast path (NLB_FAST_PATH), for a spot interruption: the node is tainted, and health checks of tcp fail within 20 s.",
    );
  });

  test("has that in its report", async () => {
    const text = await planned({ attributes: { [TERMINATION]: "false" }, args: ["--nlb-fast-path", "--json"] });
    expect(JSON.parse(text)).toMatchObject({ fastPath: { pools: ["tcp"], failsWithinSeconds: 20 } });
  });

  test.each([
    ["what it would cut", {}, /established connections would be cut: tcp closes them when a target becomes unhealthy/],
    [
      "for how long connections are kept",
      { attributes: { [TERMINATION]: "false", [INTERVAL]: "60" } },
      /would be cut: tcp keeps them for 60 s \(target_health_state/,
    ],
    [
      "that nothing asks kube-proxy",
      { probe: { ...KUBE_PROXY, port: "traffic-port" } },
      /no health check of its NLB target groups asks kube-proxy/,
    ],
    ["that the checks are too slow", { intervalMs: 60_000 }, /the health checks of tcp need 120 s to fail/],
  ])("says %s, where it is not taken", async (_, input, why) => {
    const text = await planned(input);
    expect(text).toMatch(why);
    expect(text).toContain("the fast path (NLB_FAST_PATH) is not taken for a spot interruption (120 s)");
    expect(text).not.toContain("Fast path (NLB_FAST_PATH), for");
  });

  test("says nothing of it without the option", async () => {
    expect(await planned({ args: [] })).not.toMatch(/fast path/i);
  });
});
