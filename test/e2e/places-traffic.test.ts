import { expect, onTestFinished, test, vi } from "vitest";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { addPools, DELAYS_SECONDS, SHORT, SHORT_SPARES } from "../support/departure-pools.ts";
import { addNode, REQUESTS_AFTERWARDS, startTraffic } from "../support/departure-scene.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";
import { carryInside } from "../support/machine-inside.ts";
import { placesEndpoint } from "../support/places-endpoint.ts";
import { realQueue } from "../support/real-queue.ts";
import { runHere, serveHere } from "../support/run-here.ts";

const HUB = "444455556666";
const ROLE = `arn:aws:iam::${HUB}:role/drainer`;
const AWS_PLACES = `Region=eu-west-1 Region=eu-west-1,RoleArn=${ROLE},ExternalId=blue`;

/** Four nodes, each behind load balancers of its own account and behind those of another one that shares its VPC. */
async function scene() {
  const clock = new ScaledClock(1);
  const accounts = [undefined, HUB].map((accountId) => {
    const world = new World({ clock, timing: SHORT.aws, ...(accountId === undefined ? {} : { accountId }) });
    const nodes = [1, 2, 3, 4].map((number) => addNode(world, number));
    addPools(world, nodes, DELAYS_SECONDS);
    return { world, nodes, simulator: new Simulator(world) };
  });
  const [own, hub] = accounts;
  if (own === undefined || hub === undefined) throw new Error("there are two");
  const { url, sts, calls } = await placesEndpoint([own.simulator, hub.simulator], [{ arn: ROLE, externalId: "blue" }]);
  const traffic = await Promise.all(accounts.map(async ({ world }) => startTraffic(await carryInside(world), clock)));
  const env = { AWS_ENDPOINT_URL: url, AWS_PLACES, XDG_STATE_HOME: await stateDir(), ...SHORT.allowances };
  const sent = () => traffic.map((each) => each.sent);
  const untilMore = async () => {
    const enough = sent().map((count) => count + REQUESTS_AFTERWARDS);
    await vi.waitUntil(() => sent().every((count, index) => count >= (enough[index] ?? 0)), { timeout: 60_000 });
  };
  onTestFinished(() => Promise.all(traffic.map((each) => each.stop())).then(() => {}));
  return { accounts, own, hub, traffic, env, untilMore, sts, calls };
}

test("nodes behind the load balancers of two accounts leave under traffic: no request is lost in either", async () => {
  const { accounts, own, traffic, env, untilMore, sts, calls } = await scene();
  await untilMore();
  for (const { id } of own.nodes.slice(0, 2)) {
    const { code, stdout } = await runHere(["drain", id, "--json"], env);
    expect(code).toBe(0);
    const { registrations } = JSON.parse(stdout) as { readonly registrations: readonly { readonly place: string }[] };
    const places = registrations.map(({ place }) => place).sort();
    expect(places).toEqual([...Array(4).fill(`${HUB}/eu-west-1`), ...Array(4).fill("eu-west-1")]);
    for (const { world } of accounts) {
      const instance = world.instances.get(id);
      if (instance !== undefined) world.terminateInstance(instance);
    }
  }
  await untilMore();
  for (const each of traffic) {
    const { sent, losses } = await each.stop();
    expect(lostByTheProduct(losses, SHORT_SPARES)).toEqual([]);
    expect(sent).toBeGreaterThan(200);
  }
  expect(sts.asked.every(({ externalId, region }) => externalId === "blue" && region === "eu-west-1")).toBe(true);
  const deregistering = calls.filter(({ action }) => action.startsWith("Deregister")).map(({ accountId }) => accountId);
  expect(new Set(deregistering)).toEqual(new Set([HUB, own.world.accountId]));
});

test("status and plan show in which account and region each registration is", async () => {
  const { own, env } = await scene();
  const [node] = own.nodes;
  for (const verb of ["status", "plan"]) {
    const { code, stdout } = await runHere([verb, node?.id ?? ""], env);
    expect(code).toBe(0);
    expect(stdout).toContain(`${HUB}/eu-west-1: shop / web`);
    expect(stdout).toContain("eu-west-1: legacy");
  }
});

test("a hook of another account is kept waiting and completed there, with the credentials of its role", async () => {
  const clock = new ScaledClock(1);
  const [own, there] = [new World({ clock }), new World({ clock, accountId: HUB, timing: SHORT.aws })];
  const nodes = [1, 2].map((number) => addNode(there, number));
  addPools(there, nodes, DELAYS_SECONDS);
  const [leaving] = nodes;
  if (leaving === undefined) throw new Error("there are two");
  const hook = {
    name: "drain",
    transition: "autoscaling:EC2_INSTANCE_TERMINATING",
    heartbeatTimeoutSeconds: 30,
  } as const;
  const instanceIds = nodes.map(({ id }) => id);
  const hooks = [{ ...hook, defaultResult: "ABANDON" }] as const;
  const workers = there.addAutoScalingGroup({ name: "workers", instanceIds, hooks });
  const simulators = [new Simulator(own), new Simulator(there)] as const;
  const { url, calls } = await placesEndpoint([...simulators], [{ arn: ROLE, externalId: "blue" }], HUB);
  const queue = await realQueue();
  const { child, url: service } = await serveHere({
    AWS_ENDPOINT_URL: url,
    AWS_PLACES,
    QUEUE: queue.url,
    SECRET: "a-secret-that-nobody-may-see",
    MIN_HEALTHY: "0",
    ...SHORT.allowances,
  });
  there.beginScaleIn(workers, leaving);
  const [action] = workers.scaleInOf(leaving.id)?.activeActions(clock.now()) ?? [];
  const event = {
    version: "0",
    id: "468fe059-f4b7-445f-bb22-2a271b94974d",
    "detail-type": "EC2 Instance-terminate Lifecycle Action",
    source: "aws.autoscaling",
    account: HUB,
    time: new Date(clock.now()).toISOString(),
    region: "eu-west-1",
    resources: [],
    detail: {
      LifecycleActionToken: action?.token,
      AutoScalingGroupName: "workers",
      LifecycleHookName: "drain",
      EC2InstanceId: leaving.id,
      LifecycleTransition: hook.transition,
    },
  };
  await queue.send(JSON.stringify({ ...event, region: "us-east-1", id: "468fe059-f4b7-445f-bb22-2a271b94974e" }));
  await child.line(/"announcement skipped"/);
  await queue.send(JSON.stringify(event));
  await child.line(/"msg":"hook completed"/);
  expect(workers.scaleInOf(leaving.id)?.activeActions(clock.now()) ?? []).toEqual([]);
  const scaling = calls.filter(({ action: name }) => /Lifecycle/.test(name)).map(({ accountId }) => accountId);
  expect(new Set(scaling)).toEqual(new Set([HUB]));
  // Log and metrics name the place.
  const deregistered = child.output.split("\n").filter((line) => line.includes('"msg":"target deregistered"'));
  expect(deregistered.map((line) => (JSON.parse(line) as { readonly place: string }).place)).toEqual(
    Array(4).fill(`${HUB}/eu-west-1`),
  );
  const metrics = await (await fetch(`${service}/metrics`)).text();
  expect(metrics).toContain(`action="elasticloadbalancing:DeregisterTargets",result="ok",place="${HUB}/eu-west-1"`);
});
