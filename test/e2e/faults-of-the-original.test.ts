import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { secretCheck } from "../../src/web/secrets.ts";
import { startService } from "../support/child-process.ts";
import { endpoint } from "../support/endpoint.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

/** The Go service of 2020 promised much of what this one does. Each of its faults has a test here. */
describe("unlike the original, the service", () => {
  test("listens (it never called ListenAndServe)", async () => {
    const { url } = await startService({ SECRET: "a-secret-nobody-may-see" });
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  test("says so when it fails (it answered success)", async () => {
    const region = new SimulatedRegion();
    const AWS_ENDPOINT_URL = await endpoint(region.simulator, () => elbError("AccessDenied", "no", 403));
    const { url } = await startService({ SECRET: "a-secret-nobody-may-see", AWS_ENDPOINT_URL });
    const response = await fetch(`${url}/drain?id=i-0123456789abcdef0&pw=a-secret-nobody-may-see`, { method: "POST" });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: "access-denied", outcome: { status: "failed" } });
  });

  test("says so when its time is up (it answered success)", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    const request = { node: { by: "id", value: node.id }, dryRun: false } as const;
    const outcome = await region.clock.run(region.engine({ TIMEOUT: "60" }).drain(request, never));
    expect(outcome).toMatchObject({ status: "deadline-passed", registrations: [{ state: "holding" }] });
  });

  test("reads every page (it read the first)", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    for (let number = 0; number < 401; number++) region.group({ name: `g${number}` });
    region.group({ name: "beyond", nodes: [node] });
    for (let number = 0; number < 400; number++) region.classic({ name: `c${number}` });
    region.classic({ name: "beyond-too", nodes: [node] });
    const plan = await region.clock.run(
      region.engine().plan({ node: { by: "id", value: node.id }, dryRun: true }, never),
    );
    expect(plan.registrations.map(({ registration }) => registration.pool.name).sort()).toEqual([
      "beyond",
      "beyond-too",
    ]);
  });

  test("finds groups behind rules, and survives actions without a group (it read default actions alone, and crashed)", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const { world } = region;
    const group = region.group({ name: "by-rule", nodes: [node] });
    const [loadBalancer] = [...world.loadBalancers.values()];
    if (loadBalancer === undefined) throw new Error("the group has a load balancer");
    loadBalancer.listeners.length = 0;
    const redirect = { type: "redirect", statusCode: "HTTP_301", host: "example.com" } as const;
    const listener = world.addListener(loadBalancer, { protocol: "HTTP", port: 80, defaultActions: [redirect] });
    world.addRule(listener, {
      priority: 1,
      conditions: [{ field: "path-pattern", values: ["/x/*"] }],
      actions: [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }],
    });
    const plan = await region.clock.run(
      region.engine().plan({ node: { by: "id", value: node.id }, dryRun: true }, never),
    );
    expect(plan.registrations.map(({ registration }) => registration.pool.kind)).toEqual(["alb"]);
  });

  test("asks for the tags of twenty at a time (it asked for all at once, which AWS refuses)", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const tags = { "kubernetes.io/cluster/demo": "owned" };
    for (let number = 0; number < 45; number++)
      region.group({ name: `g${number}`, nodes: number === 44 ? [node] : [], tags });
    for (let number = 0; number < 25; number++)
      region.classic({ name: `c${number}`, nodes: number === 24 ? [node] : [], tags });
    const engine = region.engine({ DISCOVERY: "tag" });
    const plan = await region.clock.run(engine.plan({ node: { by: "id", value: node.id }, dryRun: true }, never));
    expect(plan.registrations).toHaveLength(2);
    const asked = region
      .callsOf("DescribeTags")
      .map((params) => [...params.keys()].filter((key) => /\.member\.\d+$/.test(key)).length);
    expect(Math.max(...asked)).toBe(20);
    // 45 groups and their 45 load balancers, 25 classic ones.
    expect(asked.reduce((sum, count) => sum + count)).toBe(115);
  });

  test("ends a dry run at once (it waited for what it had not done)", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    const outcome = await region.clock.run(
      region.engine({ DRYRUN: "true" }).drain({ node: { by: "id", value: node.id }, dryRun: true }, never),
    );
    expect(outcome.status).toBe("planned");
    expect(region.clock.elapsedMs).toBe(0);
  });

  test("compares secrets in constant time (it used !=)", () => {
    const compare = vi.spyOn(crypto, "timingSafeEqual");
    syncBuiltinESMExports();
    onTestFinished(() => {
      compare.mockRestore();
      syncBuiltinESMExports();
    });
    const isSecret = secretCheck(["another one", "the secret", "and one more"]);
    for (const sent of ["", "t", "the secret", "the secret and more"]) {
      compare.mockClear();
      isSecret(sent);
      expect(compare).toHaveBeenCalledTimes(3);
      for (const compared of compare.mock.calls.flat()) expect(compared).toHaveLength(32);
    }
  });
});
