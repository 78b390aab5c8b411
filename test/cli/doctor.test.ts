import { writeFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import type { PolicyOptions } from "../../src/cli/policy.ts";
import { account } from "../support/account.ts";
import { folder, kubeconfig } from "../support/api-client.ts";
import { Authority } from "../support/certificates.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { service } from "../support/remote-scene.ts";
import { runHere } from "../support/run-here.ts";
import { NO_FINDINGS } from "../support/web-app.ts";

const REGION = "eu-west-1";

/** A classic load balancer with draining off, an ALB and an NLB. `policy`: what the credentials may do. */
async function scene(policy: PolicyOptions = { for: "doctor" }) {
  const { world, simulator, env } = await account();
  restrictChildren(simulator, {}, policy);
  const doctor = (...args: readonly string[]) => runHere(["doctor", ...args], { ...env, AWS_REGION: REGION });
  return { world, simulator, env, doctor };
}

describe("doctor", () => {
  test("shows the worst first, what was read, the command that mends it, and the counts as the last line", async () => {
    const { env } = await scene();
    const { code, stdout, stderr } = await runHere(["doctor"], { ...env, AWS_REGION: REGION }, { columns: 100 });
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    const lines = stripVTControlCharacters(stdout).split("\n");
    expect(lines).toEqual([
      "Looked at 2 target groups, 1 classic load balancer, 2 registered instances, 0 Auto Scaling groups",
      "  in eu-west-1.",
      "",
      "ERRORS",
      "",
      "classic-load-balancer legacy",
      "  classic-draining-off: Every request that is in flight on a node when it is deregistered is cut.",
      "    ConnectionDraining.Enabled: false (elasticloadbalancing:DescribeLoadBalancerAttributes)",
      `    $ aws elb modify-load-balancer-attributes --region eu-west-1 --load-balancer-name legacy --load-balancer-attributes '{"ConnectionDraining":{"Enabled":true,"Timeout":90}}'`,
      "    See docs/doctor.md#classic-draining-off",
      "",
      "1 error, 0 warnings, 0 notices.",
      "",
    ]);
  });

  test("ends with 0 where nothing is as bad as --fail-on", async () => {
    const { world, doctor } = await scene();
    for (const classic of world.classics.values()) classic.draining = { enabled: true, timeoutSeconds: 30 };
    const { code, stdout } = await doctor("--fail-on", "notice");
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("0 errors, 0 warnings, 0 notices.");
  });

  test.each([
    ["error", 0],
    ["warning", 3],
    ["notice", 3],
  ])("with --fail-on %s, a warning ends it with %d", async (failOn, code) => {
    const { world, doctor } = await scene();
    for (const classic of world.classics.values()) classic.draining = { enabled: true, timeoutSeconds: 30 };
    world.addAutoScalingGroup({ name: "workers", instanceIds: [...world.instances.keys()] });
    expect((await doctor("--fail-on", failOn)).code).toBe(code);
  });

  test("prints each form", async () => {
    const { doctor } = await scene();
    expect(JSON.parse((await doctor("-o", "json")).stdout)).toMatchObject({
      region: REGION,
      findings: [{ code: "classic-draining-off", page: "docs/doctor.md#classic-draining-off" }],
      counts: { error: 1 },
    });
    expect((await doctor("-o", "yaml")).stdout).toContain("code: classic-draining-off");
    expect((await doctor("-o", "name")).stdout).toBe("classic-load-balancer/legacy\n");
    expect((await doctor("-o", "wide")).stdout).toContain("ERRORS");
  });

  test("goes on where a permission is missing, names what it could not look at, and does not end with 0", async () => {
    const { world, doctor } = await scene({ for: "plan" });
    for (const classic of world.classics.values()) classic.draining = { enabled: true, timeoutSeconds: 30 };
    const { code, stdout } = await doctor();
    expect(code).toBe(1);
    expect(stdout).toContain("NOT LOOKED AT");
    expect(stdout).toMatch(/Auto Scaling groups and their hooks: AWS denied autoscaling:DescribeAutoScalingGroups/);
    expect(stdout).toContain("'hasta-la-vista policy --for doctor' prints the permissions");
    expect(stdout.trimEnd()).toMatch(/0 errors, 0 warnings, 0 notices; 1 part not looked at\.$/);
  });

  test("says that a cluster of this name has nothing here, and that it may be the wrong one", async () => {
    const { doctor } = await scene();
    const { code, stdout } = await doctor("--cluster-name", "dmeo");
    // Nothing was judged: a pipeline with a wrong name must not pass.
    expect(code).toBe(1);
    expect((await doctor("--cluster-name", "dmeo", "--fail-on", "warning")).code).toBe(3);
    expect(stdout).toContain("nothing-found: No load balancer of the cluster dmeo was found in eu-west-1");
    expect(stdout).toContain("Check AWS_REGION");
  });

  test("says that the API server can't be reached, and audits the rest", async () => {
    const { world, env } = await scene();
    for (const classic of world.classics.values()) classic.draining = { enabled: true, timeoutSeconds: 30 };
    const path = `${folder()}/config`;
    // Nothing listens on port 1.
    writeFileSync(path, kubeconfig({ server: "https://127.0.0.1:1", ca: new Authority().cert }));
    const { code, stdout } = await runHere(["doctor", "--kubeconfig", path, "--fail-on", "warning"], {
      ...env,
      AWS_REGION: REGION,
    });
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /the flags of cluster-autoscaler: Deployments of the Kubernetes cluster production: .*127\.0\.0\.1:1/,
    );
    expect(stdout).toContain("Looked at 2 target groups");
  });

  test("with --server, shows what the service has found", async () => {
    const web = await service({ examine: async () => ({ ...NO_FINDINGS, cluster: "demo" }) });
    const { code, stdout } = await web.run(["doctor"]);
    expect([code, stdout]).toEqual([
      0,
      "Looked at 1 target group, 0 classic load balancers, 2 registered instances of demo.\n\n0 errors, 0 warnings, 0 notices.\n",
    ]);
  });
});
