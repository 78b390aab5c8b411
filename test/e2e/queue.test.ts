import {
  AutoScalingClient,
  DescribeAutoScalingInstancesCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { describe, expect, onTestFinished, test } from "vitest";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { startService } from "../support/child-process.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import type { Environment } from "../support/program-run.ts";
import { realQueue } from "../support/real-queue.ts";
import { serveHere } from "../support/run-here.ts";
import { CREDENTIALS, VPC } from "../support/simulated-region.ts";

const SECRET = "a-secret-nobody-may-see";
/** Nobody has given them a policy. */
const SOMEBODY = { ...CREDENTIALS, accessKeyId: "somebody" };
const HOOK = {
  name: "drain",
  transition: "autoscaling:EC2_INSTANCE_TERMINATING",
  heartbeatTimeoutSeconds: 30,
  defaultResult: "ABANDON",
} as const;

/** Two nodes of an Auto Scaling group behind an ALB, a queue, and what a service needs to hear of them. */
async function scene({ delaySeconds = 2 } = {}) {
  const clock = new ScaledClock(1);
  const world = new World({ clock });
  const tags = { "kubernetes.io/cluster/demo": "owned" };
  const ids = [1, 2].map((number) => `i-${String(number).padStart(17, "0")}`);
  for (const [index, id] of ids.entries())
    world.addInstance({ id, vpcId: VPC, privateIp: `10.0.0.${index + 1}`, tags });
  const group = world.addTargetGroup({ name: "web", vpcId: VPC, protocol: "HTTP", port: 80, targetType: "instance" });
  group.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
  for (const id of ids) world.registerTarget(group, { id }, { settled: true });
  const alb = world.addLoadBalancer({ name: "alb", type: "application", vpcId: VPC });
  const actions = [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }] as const;
  world.addListener(alb, { protocol: "HTTP", port: 80, defaultActions: actions });
  const workers = world.addAutoScalingGroup({ name: "workers", instanceIds: ids, hooks: [HOOK] });
  const simulator = new Simulator(world);
  onTestFinished(() => simulator.close());
  const endpoint = await simulator.listen();
  const queue = await realQueue();
  restrictChildren(simulator, { QUEUE: queue.url }, { for: "serve" });
  const env: Environment = {
    SECRET,
    ALB_PROPAGATION: "1",
    INDEX_RATE: "0",
    AWS_ENDPOINT_URL: endpoint,
    QUEUE: queue.url,
  };
  const scaling = new AutoScalingClient({ region: "eu-west-1", credentials: SOMEBODY, endpoint });
  onTestFinished(() => scaling.destroy());
  const [id = ""] = ids;

  /** Begins a scale-in, and says so as Auto Scaling does to a queue. */
  const scaleIn = async () => {
    const input = { InstanceId: id, ShouldDecrementDesiredCapacity: true };
    await scaling.send(new TerminateInstanceInAutoScalingGroupCommand(input));
    const [action] = workers.scaleInOf(id)?.activeActions(clock.now()) ?? [];
    return queue.send(
      JSON.stringify({
        LifecycleHookName: HOOK.name,
        AccountId: "123456789012",
        RequestId: "63f5b5c2-58b3-0574-b7d5-b3162d0268f0",
        LifecycleTransition: HOOK.transition,
        AutoScalingGroupName: "workers",
        Service: "AWS Auto Scaling",
        Time: new Date(clock.now()).toISOString(),
        EC2InstanceId: id,
        LifecycleActionToken: action?.token,
      }),
    );
  };
  const lifecycleState = async () => {
    const { AutoScalingInstances = [] } = await scaling.send(
      new DescribeAutoScalingInstancesCommand({ InstanceIds: [id] }),
    );
    return AutoScalingInstances[0]?.LifecycleState ?? "gone";
  };
  const target = () => {
    const now = clock.now();
    return group.listed(now).find((each) => each.id === id)?.id;
  };
  return { world, simulator, queue, env, id, scaleIn, lifecycleState, target };
}

describe("a service with a queue", () => {
  test("drains what Auto Scaling takes away, completes the hook, and deletes the message, within the printed policy", async () => {
    const { queue, env, id, scaleIn, lifecycleState, target, simulator } = await scene({ delaySeconds: 8 });
    const { child, url } = await startService({ ...env, SHUTDOWN_GRACE: "0" });
    await scaleIn();
    const announced = JSON.parse(await child.line(/"termination announced"/));
    expect(announced).toMatchObject({ node: id, event: "autoscaling-terminate", group: "workers", hook: "drain" });
    await child.line(/"target deregistered"/);
    expect(await lifecycleState()).toBe("Terminating:Wait");
    await child.line(/"hook completed"/);
    expect(JSON.parse(await child.line(/"message deleted"/))).toMatchObject({ nodes: [id] });
    expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 0 });
    expect(target()).toBeUndefined();
    expect(await lifecycleState()).not.toBe("Terminating:Wait");
    expect(child.output.indexOf("drain completed")).toBeLessThan(child.output.indexOf("hook completed"));

    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('hasta_la_vista_queue_messages_total{result="deleted"} 1');
    expect(metrics).toContain('hasta_la_vista_lifecycle_hooks_total{result="continued"} 1');
    expect(metrics).toContain("hasta_la_vista_queue_messages_in_flight 0");
    expect(metrics).toContain("hasta_la_vista_queue_receiving 1");
    const drains = await fetch(`${url}/drains`, { headers: { authorization: `Bearer ${SECRET}` } });
    const [{ drainId }] = ((await drains.json()) as { drains: [{ drainId: string }] }).drains;
    const drain = await fetch(`${url}/drains/${drainId}`, { headers: { authorization: `Bearer ${SECRET}` } });
    expect(await drain.json()).toMatchObject({ requests: [{ asker: { via: "autoscaling-terminate" } }] });
    expect(simulator.access.recordOf("simulated")?.denied).toEqual(new Set());
    child.signal("SIGTERM");
    expect((await child.finished).code).toBe(0);
  });

  test("hands the message back when it is ended in the middle, and the next one goes on", async () => {
    const { queue, env, scaleIn, lifecycleState } = await scene({ delaySeconds: 8 });
    const first = await serveHere({ ...env, SHUTDOWN_GRACE: "0" });
    await scaleIn();
    await first.child.line(/"target deregistered"/);
    expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 1 });
    first.child.signal("SIGTERM");
    const { code, stdout } = await first.child.finished;
    expect(code).toBe(0);
    expect(stdout).toContain('"message returned"');
    expect(await queue.depth()).toEqual({ waiting: 1, inFlight: 0 });
    expect(await lifecycleState()).toBe("Terminating:Wait");

    const second = await serveHere(env);
    await second.child.line(/"hold resumed"/);
    await second.child.line(/"message deleted"/);
    expect(await lifecycleState()).not.toBe("Terminating:Wait");
  });

  test("says what is wrong with a queue that is not there, serves all the same, and reads it once it is", async () => {
    const { queue, env, scaleIn } = await scene();
    await queue.remove();
    const { child, url } = await serveHere(env);
    const line = JSON.parse(await child.line(/"queue read failed"/));
    expect(line).toMatchObject({ level: "error", error: expect.stringContaining("check QUEUE") });
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("hasta_la_vista_queue_receiving 0");
    await queue.create();
    await scaleIn();
    await child.line(/"message deleted"/);
    expect(child.output).toContain('"queue read recovered"');
  });

  test("leaves what it can't understand in the queue, and drains the rest", async () => {
    const { queue, env, scaleIn } = await scene();
    await queue.send("<html>not an event</html>");
    await queue.send(JSON.stringify({ Service: "AWS Auto Scaling", Event: "autoscaling:TEST_NOTIFICATION" }));
    const { child } = await serveHere(env);
    const bad = JSON.parse(await child.line(/"message malformed"/));
    expect(bad).toMatchObject({ level: "warn", error: expect.stringContaining("JSON") });
    await child.line(/"message ignored"/);
    await scaleIn();
    await child.line(/"message deleted"/);
    expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 1 });
  });

  test("finds its queue by name", async () => {
    const { queue, env, scaleIn } = await scene();
    const { child } = await serveHere({ ...env, QUEUE: "departures", AWS_ENDPOINT_URL_SQS: queue.endpoint });
    await scaleIn();
    await child.line(/"message deleted"/);
  });
});
