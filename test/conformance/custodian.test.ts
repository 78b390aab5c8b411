import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { VPC } from "../support/simulated-region.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

const POLICIES = "test/conformance/custodian/policies.yaml";

/** Three nodes behind an ALB, of which two are an Auto Scaling group's. */
async function region() {
  const world = new World({ clock: new ScaledClock(1) });
  const nodes = [1, 2, 3].map((node) =>
    world.addInstance({
      id: `i-${String(node).padStart(17, "0")}`,
      vpcId: VPC,
      privateIp: `10.0.0.${node}`,
      tags: { "kubernetes.io/cluster/demo": "owned", ...(node === 3 ? { team: "none" } : {}) },
    }),
  );
  const ids = nodes.map(({ id }) => id);
  const web = world.addTargetGroup({
    ...{ name: "web", vpcId: VPC, protocol: "HTTP", port: 30080, targetType: "instance" },
  });
  web.attributes.set("deregistration_delay.timeout_seconds", "30");
  const shop = world.addLoadBalancer({ name: "shop", type: "application", vpcId: VPC });
  const forward = { type: "forward", groups: [{ arn: web.arn, weight: 1 }] } as const;
  world.addListener(shop, { protocol: "HTTP", port: 80, defaultActions: [forward] });
  for (const id of ids) world.registerTarget(web, { id }, { settled: true });
  const workers = world.addAutoScalingGroup({
    ...{ name: "workers", instanceIds: ids.slice(0, 2), targetGroups: [web], launchMs: 1 },
    ...{ minSize: 0, maxSize: 5 },
  });
  const simulator = new Simulator(world);
  onTestFinished(() => simulator.close());
  return { world, nodes, web, shop, workers, url: await simulator.listen() };
}

/** The names of the policies in the file, in their order. */
const NAMES = [...readFileSync(POLICIES, "utf8").matchAll(/- name: (\S+)/g)].map(([, name = ""]) => name);

describeWith("custodian", "Cloud Custodian", () => {
  test("finds what its policies look for, and does what they say", async () => {
    const { world, nodes, web, shop, workers, url } = await region();
    const folder = mkdtempSync(path.join(tmpdir(), "custodian-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const args = ["run", "--region=eu-west-1", "--cache-period=0", `--output-dir=${folder}`, POLICIES];
    const environment = { AWS_ENDPOINT_URL: url, HOME: folder };
    const { code, stdout, stderr } = await new RunningProgram("custodian", args, environment).ended;
    expect({ code, stdout, refused: stderr.match(/An error occurred.*/g) }, stderr).toEqual({
      ...{ code: 0, stdout: "", refused: null },
    });
    const found = NAMES.map((name) => [
      name,
      JSON.parse(readFileSync(path.join(folder, name, "resources.json"), "utf8")).length,
    ]);
    expect(Object.fromEntries(found)).toEqual({
      ...{ instances: 3, stop: 1, mark: 2, health: 3 },
      ...{ "load-balancers": 1, listeners: 1, "http-targets": 1, "target-groups": 1, "target-group-attributes": 1 },
      ...{ groups: 1, "tag-groups": 1, resize: 1 },
      ...{ networks: 1, subnets: 3, "security-groups": 1, interfaces: 4 },
    });
    for (const { tags } of [shop, web, workers]) expect(tags.get("audited")).toBe("yes");
    expect(nodes.map(({ tags }) => tags.get("team"))).toEqual(["platform", "platform", "none"]);
    expect(nodes.map(({ id }) => world.isRunning(id))).toEqual([true, true, false]);
    expect(workers).toMatchObject({ minSize: 1, desiredCapacity: 3 });
  });
});
