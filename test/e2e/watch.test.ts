import { describe, expect, onTestFinished, test } from "vitest";
import { MetadataListeners } from "../../src/simulator/metadata/metadata-listeners.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { account, ID } from "../support/account.ts";
import { Child, startService } from "../support/child-process.ts";
import { CHILD_ACCESS_KEY_ID, restrictChildren } from "../support/printed-policy.ts";
import type { Environment, Running } from "../support/program-run.ts";
import { startHere } from "../support/run-here.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";

const SECRET = RANDOM_SECRET;
const HOOK = {
  name: "drain",
  transition: "autoscaling:EC2_INSTANCE_TERMINATING",
  heartbeatTimeoutSeconds: 300,
  defaultResult: "ABANDON",
} as const;
const QUIET_END = { code: 0, stderr: "" };

/** A region with a node, and that node's own metadata service. */
async function scene() {
  const { world, simulator, env } = await account();
  const instance = world.instances.get(ID) as Instance;
  const listeners = new MetadataListeners(world);
  onTestFinished(() => listeners.close());
  const metadata = {
    AWS_EC2_METADATA_SERVICE_ENDPOINT: await listeners.open(instance),
    METADATA_INTERVAL: "1",
    // Where the node is it knows by itself.
    AWS_REGION: undefined,
  };
  const registered = () =>
    [...world.targetGroups.values()].flatMap((group) =>
      group.listed(world.clock.now()).filter((target) => target.id === ID),
    );
  const watch = (environment: Environment, args: readonly string[] = []) =>
    startHere(["watch", ...args], { ...metadata, ...environment });
  return { world, simulator, env, instance, metadata, registered, watch };
}

/** The line's fields. */
async function told(child: Running, message: RegExp) {
  return JSON.parse(await child.line(message));
}

describe("watch, on a node,", () => {
  test.each(["cli", "service"] as const)(
    "drains it by itself as soon as EC2 wants it back, stays, and ends with code 0 at SIGTERM: %s",
    async (program) => {
      const { world, env, instance, metadata, registered } = await scene();
      const child = new Child(program, ["watch"], { ...metadata, ...env });
      expect(await told(child, /"watch started"/)).toMatchObject({ node: ID, region: "eu-west-1" });
      world.interruptions.interrupt(instance);
      expect(await told(child, /"notice received"/)).toMatchObject({
        level: "warn",
        event: "spot-interruption",
        node: ID,
        reason: "spot interruption: terminate",
        deadline: expect.stringMatching(/^\d{4}-.*Z$/),
      });
      expect(await told(child, /"drain planned"/)).toMatchObject({ registrations: 3 });
      await child.line(/"drain completed"/);
      expect(registered()).toEqual([]);
      child.signal("SIGTERM");
      const { stdout, ...end } = await child.finished;
      expect(end).toEqual(QUIET_END);
      // Once, though the notice stands there on each look.
      expect(stdout.match(/"drain started"/g)).toHaveLength(1);
      expect(stdout).toMatch(/"stopped"/);
    },
  );

  test("keeps its group's hook waiting at a scale-in, and completes it once it is drained, with the printed policy", async () => {
    const { world, simulator, env, instance, registered, watch } = await scene();
    const group = world.addAutoScalingGroup({ name: "workers", instanceIds: [ID], hooks: [HOOK] });
    restrictChildren(simulator, { TERMINATION_HOOK: "drain" }, { for: "watch" });
    const child = watch(env, ["--termination-hook", "drain", "--log-level", "debug"]);
    await child.line(/"watch started"/);
    world.beginScaleIn(group, instance);
    expect(await told(child, /"notice received"/)).toMatchObject({ reason: "Auto Scaling: Terminated" });
    await child.line(/"hook heartbeat sent"/);
    await child.line(/"drain completed"/);
    expect(registered()).toEqual([]);
    expect(await told(child, /"hook completed"/)).toMatchObject({
      node: ID,
      group: "workers",
      hook: "drain",
    });
    expect(group.scaleInOf(ID)?.activeActions(world.clock.now()) ?? []).toEqual([]);
  });

  test("has a service drain it, without credentials of its own", async () => {
    const { world, env, instance, registered, watch } = await scene();
    const { child: service, url } = await startService({ ...env, SECRET });
    const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
    const child = watch({ SECRET, ...none }, ["--server", url]);
    await child.line(/"service check passed"/);
    world.interruptions.interrupt(instance, { action: "stop" });
    expect(await told(child, /"remote drain completed"/)).toMatchObject({
      node: ID,
      reason: "spot interruption: stop",
      outcome: "drained",
      drain: expect.stringMatching(/^d-/),
    });
    expect(registered()).toEqual([]);
    expect(JSON.parse(await service.line(/"drain started"/))).toMatchObject({ reason: "spot interruption: stop" });
    child.signal("SIGTERM");
    expect(await child.finished).toMatchObject(QUIET_END);
  });

  test("is not refused by a service at a scale-in, of which nobody says when the machine goes", async () => {
    const { world, env, instance, registered, watch } = await scene();
    const group = world.addAutoScalingGroup({ name: "workers", instanceIds: [ID], hooks: [HOOK] });
    // Of the two nodes in each pool none may go.
    const { url } = await startService({ ...env, SECRET, MIN_HEALTHY: "2", GUARD_WAIT: "0" });
    const child = watch({ SECRET }, ["--server", url]);
    await child.line(/"service check passed"/);
    world.beginScaleIn(group, instance);
    expect(await told(child, /"remote drain completed"/)).toMatchObject({
      reason: "Auto Scaling: Terminated",
    });
    expect(registered()).toEqual([]);
  });

  test("asks a service again that does not answer yet, and says before any notice that it would not", async () => {
    const { world, env, instance, registered, watch } = await scene();
    const { child: first, url } = await startService({ ...env, SECRET });
    first.signal("SIGTERM");
    await first.finished;
    const child = watch({ SECRET }, ["--server", url]);
    await child.line(/"service check failed"/);
    world.interruptions.interrupt(instance);
    expect(await told(child, /"remote drain failed"/)).toMatchObject({
      error: expect.stringMatching(/could not reach the service at http.*ECONNREFUSED/),
    });
    await startService({ ...env, SECRET, PORT: new URL(url).port });
    await child.line(/"remote drain completed"/);
    expect(registered()).toEqual([]);
  });

  test("says of a service that refuses it what is wrong, and never the secret", async () => {
    const { env, watch } = await scene();
    const { url } = await startService({ ...env, SECRET });
    const child = watch({ SECRET: "another-secret-nobody-may-see" }, ["--server", url]);
    expect(await told(child, /"service check failed"/)).toMatchObject({
      status: 403,
      error: expect.stringMatching(/the secret is wrong/),
    });
  });

  test("changes nothing in dry run", async () => {
    const { world, env, instance, registered, watch } = await scene();
    const child = watch({ ...env, DRYRUN: "true" });
    world.interruptions.interrupt(instance);
    await child.line(/"notice received"/);
    await child.line(/"dry run completed"/);
    expect(registered()).toHaveLength(2);
  });

  test("says at its start what AWS would deny", async () => {
    const { simulator, env, watch } = await scene();
    simulator.access.restrict({
      accessKeyId: CHILD_ACCESS_KEY_ID,
      document: { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "ec2:*", Resource: "*" }] },
    });
    const child = watch(env);
    expect(await told(child, /"access check failed"/)).toMatchObject({ code: "access-denied" });
  });

  test("ends with code 2 where the configured region is not the machine's", async () => {
    const { env, watch } = await scene();
    const { code, stderr } = await watch({ ...env, AWS_REGION: "us-east-1" }).finished;
    expect(stderr).toBe(
      "hasta-la-vista: AWS_REGION is us-east-1, and this machine is in eu-west-1: leave it out, it is found by itself\n",
    );
    expect(code).toBe(2);
  });

  test("waits for instance metadata that is not there, says why, and ends at SIGTERM", async () => {
    const child = startHere(["watch"], { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:1" });
    expect(await told(child, /"metadata read failed"/)).toMatchObject({
      code: "unreachable",
      error: expect.stringMatching(/PUT \/latest\/api\/token: could not be reached \(ECONNREFUSED\)/),
    });
    child.signal("SIGTERM");
    expect(await child.finished).toMatchObject(QUIET_END);
  });
});
