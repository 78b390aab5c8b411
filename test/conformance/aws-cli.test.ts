import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { endpointWherePollsTake } from "./support/passing-time.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

/** The waiters' own delay, which passes in virtual time. */
const POLL_MS = 15_000;
/** More than one page holds. */
const GROUPS = 401;
const IDLE = { vpcId: VPC, protocol: "TCP", port: 80, targetType: "instance" } as const;

/** A region and the command line that calls it: it answers with what the command printed. */
async function scene() {
  const region = new SimulatedRegion();
  const endpoint = await endpointWherePollsTake(POLL_MS, region);
  const folder = mkdtempSync(path.join(tmpdir(), "waiters-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const written = await new RunningProgram("python", ["-m", "aws_cli.impatient_waiters", folder]).ended;
  expect(written).toMatchObject({ code: 0, stderr: "" });

  const run = (command: string) =>
    new RunningProgram("aws", command.split(" "), { AWS_ENDPOINT_URL: endpoint, AWS_DATA_PATH: folder }).ended;
  const aws = async (command: string) => {
    const { code, stdout, stderr } = await run(command);
    expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: "" });
    return stdout === "" ? undefined : JSON.parse(stdout);
  };
  return { region, run, aws, polls: () => region.clock.elapsedMs / POLL_MS };
}

describeWith("aws", "AWS's command line, called against the simulator", () => {
  test("sees a target from its registration to the end of its deregistration, by its own waiters", async () => {
    const { region, aws, polls } = await scene();
    const node = region.node();
    const group = region.group({ name: "web", delaySeconds: 60 });
    const target = `--target-group-arn ${group.arn} --targets Id=${node.id}`;
    await aws(`elbv2 register-targets ${target},Port=30080`);
    await aws(`elbv2 wait target-in-service ${target}`);
    expect(polls()).toBe(4);
    const { TargetHealthDescriptions: listed } = await aws(
      `elbv2 describe-target-health --target-group-arn ${group.arn}`,
    );
    expect(listed).toMatchObject([{ Target: { Id: node.id, Port: 30080 }, TargetHealth: { State: "healthy" } }]);
    await aws(`elbv2 deregister-targets ${target}`);
    await aws(`elbv2 wait target-deregistered ${target}`);
    expect(polls()).toBe(5 + 5);
    const { TargetHealthDescriptions: named } = await aws(`elbv2 describe-target-health ${target}`);
    expect(named).toMatchObject([{ TargetHealth: { State: "unused", Reason: "Target.NotRegistered" } }]);
  });

  test("sees an instance of a classic load balancer come and go, by its own waiters", async () => {
    const { region, aws, polls } = await scene();
    const node = region.node();
    const web = region.classic({ name: "web", drainingSeconds: 60 });
    const instance = `--load-balancer-name web --instances ${node.id}`;
    const registered = await aws(`elb register-instances-with-load-balancer ${instance}`);
    expect(registered).toEqual({ Instances: [{ InstanceId: node.id }] });
    await aws(`elb wait instance-in-service ${instance}`);
    expect(polls()).toBe(4);
    web.requestStarted(node.id);
    const left = await aws(`elb deregister-instances-from-load-balancer ${instance}`);
    expect(left).toEqual({ Instances: [] });
    await aws(`elb wait instance-deregistered ${instance}`);
    expect(polls()).toBe(4 + 5);
  });

  test("describes all of ELBv2 that draining reads", async () => {
    const { region, aws } = await scene();
    const group = region.group({ name: "web", tags: { a: "b" }, delaySeconds: 17 });
    region.group({ name: "raw", type: "network" });
    for (let number = 2; number < GROUPS; number++) region.world.addTargetGroup({ name: `idle-${number}`, ...IDLE });
    const { LoadBalancers: balancers } = await aws("elbv2 describe-load-balancers");
    expect(balancers).toMatchObject([
      { LoadBalancerName: "web-lb", Type: "application", State: { Code: "active" } },
      { LoadBalancerName: "raw-lb", Type: "network" },
    ]);
    const { TargetGroups: groups } = await aws("elbv2 describe-target-groups");
    expect(groups[0]).toMatchObject({ TargetGroupArn: group.arn, Protocol: "HTTP" });
    expect(groups).toHaveLength(GROUPS);
    const { TagDescriptions: tags } = await aws(`elbv2 describe-tags --resource-arns ${group.arn}`);
    expect(tags).toEqual([{ ResourceArn: group.arn, Tags: [{ Key: "a", Value: "b" }] }]);
    const { Attributes: attributes } = await aws(
      `elbv2 describe-target-group-attributes --target-group-arn ${group.arn}`,
    );
    expect(attributes).toContainEqual({ Key: "deregistration_delay.timeout_seconds", Value: "17" });
    const { Listeners: listeners } = await aws(
      `elbv2 describe-listeners --load-balancer-arn ${balancers[0].LoadBalancerArn}`,
    );
    expect(listeners).toMatchObject([{ DefaultActions: [{ Type: "forward", TargetGroupArn: group.arn }] }]);
  });

  test("describes all of the classic ELB that draining reads", async () => {
    const { region, aws } = await scene();
    const node = region.node();
    region.classic({ name: "web", nodes: [node], drainingSeconds: 60, tags: { a: "b" } });
    const { LoadBalancerDescriptions: described } = await aws("elb describe-load-balancers");
    expect(described).toMatchObject([{ LoadBalancerName: "web", Instances: [{ InstanceId: node.id }] }]);
    const { TagDescriptions: tags } = await aws("elb describe-tags --load-balancer-names web");
    expect(tags).toEqual([{ LoadBalancerName: "web", Tags: [{ Key: "a", Value: "b" }] }]);
    const { LoadBalancerAttributes: attributes } = await aws(
      "elb describe-load-balancer-attributes --load-balancer-name web",
    );
    expect(attributes).toMatchObject({ ConnectionDraining: { Enabled: true, Timeout: 60 } });
    const { InstanceStates: states } = await aws("elb describe-instance-health --load-balancer-name web");
    expect(states).toMatchObject([{ InstanceId: node.id, State: "InService" }]);
  });

  test("finds an instance by its name, and terminates it", async () => {
    const { region, aws } = await scene();
    const node = region.node({ secondaryIps: ["10.0.9.1"] });
    region.node();
    const { Reservations: found } = await aws(
      `ec2 describe-instances --filters Name=private-dns-name,Values=${node.name}`,
    );
    expect(found).toMatchObject([
      { Instances: [{ InstanceId: node.id, State: { Code: 16, Name: "running" }, Tags: [{ Value: "owned" }] }] },
    ]);
    const { TerminatingInstances: ending } = await aws(`ec2 terminate-instances --instance-ids ${node.id}`);
    expect(ending).toEqual([
      {
        InstanceId: node.id,
        CurrentState: { Code: 32, Name: "shutting-down" },
        PreviousState: { Code: 16, Name: "running" },
      },
    ]);
    await region.clock.advance(60_000);
    await aws(`ec2 wait instance-terminated --instance-ids ${node.id}`);
  });

  test("shows errors by their codes", async () => {
    const { run } = await scene();
    const unknown = await run("elb describe-instance-health --load-balancer-name none");
    expect(unknown.stderr).toContain("(LoadBalancerNotFound) when calling the DescribeInstanceHealth operation");
    const malformed = await run("ec2 describe-instances --instance-ids banana");
    expect(malformed.stderr).toContain("(InvalidInstanceID.Malformed) when calling the DescribeInstances operation");
    const lost = await run("elbv2 describe-target-groups --names none");
    expect(lost.stderr).toContain("(TargetGroupNotFound) when calling the DescribeTargetGroups operation");
  });
});
