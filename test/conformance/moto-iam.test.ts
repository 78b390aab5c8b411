import { RegisterInstancesWithLoadBalancerCommand } from "@aws-sdk/client-elastic-load-balancing";
import { RegisterTargetsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { expect, test } from "vitest";
import { printedFor } from "../support/printed-policy.ts";
import { awsProvider } from "../support/provider-calls.ts";
import { never } from "../support/simulated-region.ts";
import { Moto } from "./support/moto.ts";
import { describeWith } from "./support/programs.ts";

const OPTIONS = { DISCOVERY: "tag", CLUSTERNAME: "demo", POLICY_SCOPE: "tag" };

/** moto judges every request with the resource `*` and knows no conditions: of a policy only its actions count there. */
function actionsFor(purpose: "plan" | "drain" | "undo"): readonly string[] {
  const options = { ...OPTIONS, UNDO: String(purpose === "undo") };
  return [
    ...new Set(
      printedFor(options, { for: purpose === "plan" ? "plan" : "drain" }).Statement.flatMap(({ Action }) => Action),
    ),
  ];
}

/** Both kinds of pool, and a classic load balancer that must be asked about the node because it doesn't list it. */
async function scene() {
  const moto = await Moto.start();
  const node = await moto.node();
  const group = await moto.group("web", node.vpcId);
  await moto.loadBalancer("web", "application", group);
  const { v2, classic } = moto.clients;
  const Instances = [{ InstanceId: node.id }];
  const LoadBalancerName = await moto.classic("classic");
  const register = async () => {
    await v2.send(new RegisterTargetsCommand({ TargetGroupArn: group, Targets: [{ Id: node.id }] }));
    await classic.send(new RegisterInstancesWithLoadBalancerCommand({ LoadBalancerName, Instances }));
  };
  await register();
  await moto.classic("other");
  const clients = moto.clientsOf(await moto.user("drainer"));
  /** One that has asked for nothing yet: what was told once is remembered. */
  const provider = () => awsProvider(clients, { discovery: "tag", clusterName: "demo", writableCluster: "demo" });

  /** Runs `work` as a user who may do this and nothing else. */
  const allowed = async <T>(actions: readonly string[], work: () => Promise<T>): Promise<T> => {
    await moto.allow("drainer", actions);
    await moto.enforce(true);
    try {
      return await work();
    } finally {
      await moto.enforce(false);
    }
  };
  const plan = async (asked = provider()) => {
    const found = await moto.find(node, asked);
    for (const { pool } of found.registrations) await asked.describe(pool, never);
    return found;
  };
  /** Every call of a drain, without its holds: moto lets targets go at once. */
  const drain = async () => {
    const asked = provider();
    const { registrations } = await plan(asked);
    for (const registration of registrations) await asked.deregister(registration.pool, [registration], never);
    for (const registration of registrations) await asked.observe(registration.pool, [registration], never);
    await asked.stillOwned(await asked.resolve({ by: "id", value: node.id }, never), registrations, never);
    return registrations;
  };
  /** And what an undo makes besides. */
  const undo = async () => {
    const registrations = await drain();
    const asked = provider();
    const machine = await asked.resolve({ by: "id", value: node.id }, never);
    await asked.obstacles(machine, registrations, never);
    for (const registration of registrations) await asked.register(registration.pool, [registration], never);
    return registrations;
  };
  return { moto, node, register, allowed, plan, drain, undo };
}

const OPTIONAL = /:Describe(NetworkInterfaces|Listeners|ListenerAttributes)$/;

describeWith("moto_server", "With moto checking signatures and policies", () => {
  test("a plan needs no action but those of the printed policy", async () => {
    const { allowed, plan } = await scene();
    const { registrations } = await allowed(actionsFor("plan"), () => plan());
    expect(registrations.map(({ pool }) => pool.name)).toEqual(expect.arrayContaining(["web", "classic"]));
  });

  test("a drain needs no action but those of the printed policy", async () => {
    const { moto, node, allowed, drain } = await scene();
    await allowed(actionsFor("drain"), drain);
    const left = await moto.find(node);
    expect(left.registrations.filter(({ pool }) => pool.kind !== "classic")).toEqual([]);
  });

  test("an undo needs no action but those of the policy that is printed with UNDO", async () => {
    const { moto, node, allowed, undo } = await scene();
    const registrations = await allowed(actionsFor("undo"), undo);
    expect((await moto.find(node)).registrations).toHaveLength(registrations.length);
  });

  test.each(["plan", "drain", "undo"] as const)("a %s needs each action of the printed policy", async (purpose) => {
    const { register, allowed, ...work } = await scene();
    const actions = actionsFor(purpose);
    expect(actions).toHaveLength({ plan: 11, drain: 13, undo: 15 }[purpose]);
    // No pool or interface of this account has a question for these: decisions/0025-optional-reads.md.
    for (const missing of actions.filter((action) => !OPTIONAL.test(action))) {
      await register();
      const others = actions.filter((action) => action !== missing);
      await expect(allowed<unknown>(others, work[purpose])).rejects.toMatchObject({
        code: "access-denied",
        message: expect.stringContaining(`AWS denied ${missing}: `),
      });
    }
  });
});
