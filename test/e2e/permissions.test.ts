import { describe, expect, test } from "vitest";
import { printedFor } from "../support/printed-policy.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { SECRET, webApp } from "../support/web-app.ts";

type Environment = Readonly<Record<string, string>>;
type Region = ConstructorParameters<typeof SimulatedRegion>[1];

/** Each alone says that a pool is the cluster's. */
const TAGS = [
  { "kubernetes.io/cluster/demo": "owned" },
  { "kubernetes.io/cluster/demo": "shared" },
  { "elbv2.k8s.aws/cluster": "demo" },
  { "eks:eks-cluster-name": "demo" },
  { "ingress.k8s.aws/cluster": "demo" },
  { KubernetesCluster: "demo" },
] as const;
const [BY_KEY, , BY_VALUE] = TAGS;

/** A node in a pool of every kind, and in one for each tag. */
function everywhere(where?: Region) {
  const region = new SimulatedRegion({}, where);
  const node = region.node({ interfaces: [{ privateIps: ["10.0.0.200"], branches: [{ privateIps: ["10.0.39.1"] }] }] });
  for (const [number, tags] of TAGS.entries()) region.group({ name: `tagged-${number}`, nodes: [node], tags });
  region.group({ name: "tcp", type: "network", nodes: [node], tags: BY_VALUE });
  region.group({ name: "gateway", type: "gateway", nodes: [node], tags: BY_VALUE });
  region.group({ name: "by-address", targetType: "ip", nodes: [node], tags: BY_VALUE });
  const { arn } = region.group({ name: "unattached", nodes: [node], tags: BY_VALUE });
  for (const loadBalancer of region.world.loadBalancers.values()) {
    if (loadBalancer.groupArns.has(arn)) region.world.loadBalancers.delete(loadBalancer.arn);
  }
  region.classic({ name: "legacy", nodes: [node], drainingSeconds: 60, tags: BY_KEY });
  return { region, node };
}

async function drain(environment: Environment, where?: Region) {
  const { region, node } = everywhere(where);
  const request = { node: { by: "id", value: node.id }, dryRun: false } as const;
  const outcome = await region.clock.run(region.engine(environment).drain(request, never));
  const [record] = region.access;
  if (record === undefined) throw new Error("the engine has no policy");
  return { outcome, record };
}

const SCOPED = { POLICY_SCOPE: "tag", CLUSTERNAME: "demo" };
const CONFIGURATIONS: readonly Environment[] = [
  { DISCOVERY: "vpc" },
  { DISCOVERY: "tag" },
  { DISCOVERY: "vpc", ...SCOPED },
  { DISCOVERY: "tag", ...SCOPED },
];

describe.each(CONFIGURATIONS)("under the policy that is printed for %j", (environment) => {
  test("a drain of every kind of pool is denied nothing, and needs every action and every statement", async () => {
    const { outcome, record } = await drain(environment);
    expect(outcome.status).toBe("drained");
    expect(
      "registrations" in outcome && new Set(outcome.registrations.map((result) => result.registration.pool.kind)),
    ).toEqual(new Set(["alb", "nlb", "gwlb", "classic", "unattached"]));
    expect(record.denied).toEqual(new Set());
    const { Statement } = printedFor(environment);
    expect([...record.allowed].sort()).toEqual([...new Set(Statement.flatMap(({ Action }) => Action))].sort());
    expect([...record.statements].sort()).toEqual([...Statement.keys()]);
  });

  test("a plan needs no more than the policy for plans", async () => {
    const { region, node } = everywhere();
    await region.engine(environment).plan({ node: { by: "id", value: node.id }, dryRun: true }, never);
    const [record] = region.access;
    expect(record?.denied).toEqual(new Set());
    const { Statement } = printedFor(environment, { for: "plan" });
    expect(Statement.flatMap(({ Action }) => Action)).toEqual(expect.arrayContaining([...(record?.allowed ?? [])]));
  });
});

test.each([
  ["cn-north-1", "arn:aws-cn:"],
  ["us-gov-west-1", "arn:aws-us-gov:"],
])("in %s the printed policy is in AWS's own terms there", async (region, start) => {
  const { outcome, record } = await drain(SCOPED, { region });
  expect(outcome.status).toBe("drained");
  expect(record.denied).toEqual(new Set());
  const arns = printedFor({ ...SCOPED, AWS_REGION: region }).Statement.flatMap(({ Resource }) => Resource);
  expect(arns.filter((arn) => arn !== "*" && !arn.startsWith(start))).toEqual([]);
});

describe("under a policy for the cluster's tag, a pool without it", () => {
  /** A node in a tagged group, in a group that only its load balancer's tag makes the cluster's, and in a classic one. */
  function scene() {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], tags: BY_VALUE, delaySeconds: 60 });
    const extra = region.group({ name: "extra", nodes: [node] });
    region.world.loadBalancerOf(extra.arn)?.tags.set("elbv2.k8s.aws/cluster", "demo");
    region.classic({ name: "legacy", nodes: [node], tags: BY_KEY });
    const request = { node: { by: "id", value: node.id }, dryRun: false } as const;
    return { region, node, extra, request };
  }

  test("fails by its name and the denied action, while the others drain to their end", async () => {
    const { region, extra, request } = scene();
    const outcome = await region.clock.run(region.engine({ DISCOVERY: "tag", ...SCOPED }).drain(request, never));
    if (outcome.status !== "failed") throw new Error(outcome.status);
    expect(outcome.error.code).toBe("access-denied");
    const results = outcome.registrations.map(({ registration, state, error }) => [
      registration.pool.name,
      state,
      error?.message,
    ]);
    expect(results).toEqual([
      ["web", "released", undefined],
      [
        "extra",
        "failed",
        expect.stringMatching(
          new RegExp(`^AWS denied elasticloadbalancing:DeregisterTargets: .* on resource: ${extra.arn} because`),
        ),
      ],
      ["legacy", "released", undefined],
    ]);
    expect(region.clock.elapsedMs).toBe(60_000);
    expect(extra.apiHealth(extra.listed(region.clock.now())[0] as never, region.clock.now()).state).toBe("healthy");
  });

  test("is answered over HTTP with 502, the code access-denied, and the result of each registration", async () => {
    const { region, node } = scene();
    const outcome = await region.clock.run(
      region.engine(SCOPED).drain({ node: { by: "id", value: node.id }, dryRun: false }, never),
    );
    const answer = await webApp({ outcome }).post(`/drain?id=${node.id}&pw=${encodeURIComponent(SECRET)}`);
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({
      status: 502,
      code: "access-denied",
      detail: expect.stringContaining("AWS denied elasticloadbalancing:DeregisterTargets"),
      outcome: {
        status: "failed",
        registrations: [
          { pool: "web", state: "released" },
          { pool: "extra", state: "failed", error: { code: "access-denied" } },
          { pool: "legacy", state: "released" },
        ],
      },
    });
  });

  test("is marked in the plan", async () => {
    const { region, request } = scene();
    const plan = await region.engine(SCOPED).plan(request, never);
    const marked = plan.registrations.map(({ registration: { pool }, isWritable }) => [pool.name, isWritable]);
    expect(marked).toEqual([
      ["web", true],
      ["extra", false],
      ["legacy", true],
    ]);
    expect(plan.warnings).toEqual([expect.stringMatching(/policy does not allow .*: extra$/)]);
  });
});
