import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { endpoint } from "../support/endpoint.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { runHere } from "../support/run-here.ts";
import { VPC } from "../support/simulated-region.ts";

const NO_REGION = { AWS_REGION: undefined };
const ID = "i-0123456789abcdef0";

async function printed(args: readonly string[], environment = {}) {
  const { code, stdout, stderr } = await runHere(["policy", ...args], { ...NO_REGION, ...environment });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const ROLE = "arn:aws:iam::444455556666:role/drainer";
const PLACES = {
  AWS_PLACES: `Region=eu-west-1 Region=eu-west-1,RoleArn=${ROLE},ExternalId=blue Region=us-east-1,RoleArn=${ROLE},ExternalId=blue`,
};

describe("hasta-la-vista policy with AWS_PLACES", () => {
  const actionsOf = (policy: { readonly Statement: readonly { readonly Action: readonly string[] }[] }) =>
    policy.Statement.map(({ Action }) => Action);

  test("prints for the program's own role what its own places need, and which roles it may assume", async () => {
    const policy = await printed(["--queue", "departures"], PLACES);
    const single = await printed(["--queue", "departures", "--region", "eu-west-1"]);
    expect(policy.Statement.slice(0, 2)).toEqual(single.Statement.slice(0, 2));
    expect(policy.Statement.at(-1)).toEqual({
      Effect: "Allow",
      Action: ["sts:AssumeRole", "sts:TagSession"],
      Resource: ROLE,
    });
    const alone = await printed([], { AWS_PLACES: `Region=eu-west-1,RoleArn=${ROLE}` });
    expect(actionsOf(alone)).toEqual([["sts:AssumeRole", "sts:TagSession"]]);
  });

  test("prints for another role what its places need, region by region, with the hooks that messages tell of", async () => {
    const policy = await printed(["--queue", "departures", "--role", ROLE], PLACES);
    const resources = policy.Statement.flatMap(
      ({ Resource }: { readonly Resource: string | readonly string[] }) => Resource,
    );
    for (const region of ["eu-west-1", "us-east-1"])
      expect(resources).toContain(`arn:aws:elasticloadbalancing:${region}:*:targetgroup/*/*`);
    const actions = actionsOf(policy).flat();
    expect(actions).toContain("autoscaling:CompleteLifecycleAction");
    expect(actions.filter((action) => /^(sqs|sts):/.test(action))).toEqual([]);
    expect(actions.filter((action) => action === "ec2:DescribeInstances")).toHaveLength(1);
  });

  test("prints the trust policy of a role, with its external id", async () => {
    const trusted = "arn:aws:iam::111122223333:role/hasta-la-vista";
    expect(await printed(["--role", ROLE, "--trust", trusted], PLACES)).toEqual({
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Principal: { AWS: trusted },
          Action: ["sts:AssumeRole", "sts:TagSession"],
          Condition: { StringEquals: { "sts:ExternalId": "blue" } },
        },
      ],
    });
  });

  test.each([
    [["--role", "arn:aws:iam::444455556666:role/other"], "which AWS_PLACES does not name: give one of its RoleArn"],
    [["--trust", "arn:aws:iam::111122223333:role/x"], "--trust requires --role"],
    [["--role", ROLE, "--trust", "111122223333"], "--trust is '111122223333': give the ARN of a role or user"],
    [["--role", "drainer"], "--role is 'drainer': give the ARN of a role"],
  ])("says what is wrong with %j", async (args, problem) => {
    const { code, stderr } = await runHere(["policy", ...args], { ...NO_REGION, ...PLACES });
    expect(code).toBe(2);
    expect(stderr).toContain(problem);
  });
});

describe("hasta-la-vista policy", () => {
  test("prints one document, for the whole program where nothing else is asked for", async () => {
    const policy = await printed([]);
    expect(policy.Version).toBe("2012-10-17");
    expect(policy.Statement).toHaveLength(2);
    expect(policy.Statement[1].Resource).toContain("arn:aws:elasticloadbalancing:*:*:targetgroup/*/*");
    expect(await printed(["--for", "drain"])).toEqual(policy);
    expect((await printed(["--for", "plan"])).Statement).toEqual([policy.Statement[0]]);
  });

  test("takes its configuration from flags and from variables", async () => {
    const flags = ["--scope", "tag", "--cluster-name", "demo", "--region", "cn-north-1", "--discovery", "tag"];
    const byFlags = await printed(flags);
    const variables = { POLICY_SCOPE: "tag", CLUSTERNAME: "demo", AWS_REGION: "cn-north-1", DISCOVERY: "tag" };
    expect(await printed([], variables)).toEqual(byFlags);
    expect(byFlags.Statement[0].Action).toContain("elasticloadbalancing:DescribeTags");
    expect(byFlags.Statement[1].Resource[0]).toBe("arn:aws-cn:elasticloadbalancing:cn-north-1:*:loadbalancer/*");
    expect(byFlags.Statement[2].Condition).toEqual({
      StringEquals: { "aws:ResourceTag/elbv2.k8s.aws/cluster": "demo" },
    });
  });

  test("is for a function, with a queue and without, which registers machines again only with --undo", async () => {
    const lambda = async (more: readonly string[]): Promise<readonly string[]> => {
      const { Statement }: { readonly Statement: readonly { readonly Action: readonly string[] }[] } = await printed([
        "--for",
        "lambda",
        "--region",
        "eu-west-1",
        ...more,
      ]);
      return Statement.flatMap(({ Action }) => Action);
    };
    const registers = (actions: readonly string[]) =>
      actions.filter((action) => /:Register(Targets|Instances)/.test(action));
    const byRules = await lambda([]);
    expect(byRules).toContain("autoscaling:CompleteLifecycleAction");
    expect(byRules.filter((action) => action.startsWith("sqs:"))).toEqual([]);
    expect(registers(byRules)).toEqual([]);
    expect(registers(await lambda(["--undo"]))).toHaveLength(2);
    expect(await lambda(["--queue", "departures"])).toContain("sqs:GetQueueAttributes");
  });

  test("is for a partition where no region is given", async () => {
    const { Statement } = await printed(["--partition", "aws-us-gov"]);
    expect(Statement[1].Resource[0]).toBe("arn:aws-us-gov:elasticloadbalancing:*:*:loadbalancer/*");
  });

  test.each([
    ["serve", ["--queue", "departures"]],
    ["lambda", []],
    ["watch", ["--termination-hook", "drain"]],
  ])("for %s lets the hooks of the named groups be completed, and no others", async (verb, more) => {
    const groups = "arn:aws:autoscaling:eu-west-1:*:autoScalingGroup:*:autoScalingGroupName";
    const resourceOf = async (...named: readonly string[]) => {
      const { Statement } = await printed(["--for", verb, "--region", "eu-west-1", ...more, ...named]);
      return Statement.find(({ Action }: { Action: string[] }) =>
        Action.includes("autoscaling:CompleteLifecycleAction"),
      )?.Resource;
    };
    expect(await resourceOf()).toBe(`${groups}/*`);
    expect(await resourceOf("--hook-groups", "workers-*")).toBe(`${groups}/workers-*`);
    expect(await resourceOf("--hook-groups", "workers,ingress")).toEqual([`${groups}/workers`, `${groups}/ingress`]);
  });

  test("says in its help what a scope can't do", async () => {
    const { code, stdout } = await runHere(["policy", "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("limit a policy to a VPC");
    expect(stdout).toContain("POLICY_SCOPE=tag");
  });
});

describe("hasta-la-vista plan --scope tag", () => {
  test("marks the pool that a policy for the cluster's tag does not let anybody write", async () => {
    const world = new World({ clock: new VirtualClock() });
    const tags = { "kubernetes.io/cluster/demo": "owned" };
    world.addInstance({ id: ID, vpcId: VPC, privateIp: "10.0.1.5", tags });
    for (const name of ["tagged", "bare"]) {
      const group = world.addTargetGroup({ name, vpcId: VPC, protocol: "HTTP", port: 80, targetType: "instance" });
      world.registerTarget(group, { id: ID }, { settled: true });
      if (name === "tagged") group.tags.set("kubernetes.io/cluster/demo", "owned");
    }
    const simulator = new Simulator(world);
    const scoped = { POLICY_SCOPE: "tag", CLUSTERNAME: "demo" };
    restrictChildren(simulator, scoped, { for: "plan" });
    const env = { AWS_ENDPOINT_URL: await endpoint(simulator) };

    const text = await runHere(["plan", ID, "--scope", "tag", "--cluster-name", "demo"], env);
    expect(text).toMatchObject({ code: 1, stderr: "" });
    expect(text.stdout).toMatch(/^unattached .* tagged .* deregister +0 s/m);
    expect(text.stdout).toMatch(/^unattached .* bare .* deregister \(not allowed\) +0 s/m);
    expect(text.stdout).toMatch(/^Warning: the IAM policy does not allow deregistering from these pools, .*: bare\.$/m);

    const json = JSON.parse((await runHere(["plan", ID, "--json"], { ...env, ...scoped })).stdout);
    expect(json.registrations).toMatchObject([
      { pool: "tagged", writable: true },
      { pool: "bare", writable: false },
    ]);
  });
});
