import { expect, onTestFinished, test } from "vitest";
import { MetadataListeners } from "../../src/simulator/metadata/metadata-listeners.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { account, ID } from "../support/account.ts";
import { serveHere, startHere } from "../support/run-here.ts";
import { RANDOM_SECRET as SECRET } from "../support/secret-search.ts";

/** The agent gives up a read of its tables after a second of its clock: on a busy machine that must not be too short. */
const SPEED = 3;
const DELAY_SECONDS = 30;

/** A node whose ALB drains for half a minute, and its instance metadata. */
async function node() {
  const { world, env, clock } = await account(undefined, SPEED);
  for (const { attributes } of world.targetGroups.values())
    attributes.set("deregistration_delay.timeout_seconds", String(DELAY_SECONDS));
  const listeners = new MetadataListeners(world);
  onTestFinished(() => listeners.close());
  const instance = world.instances.get(ID) as Instance;
  const endpoint = await listeners.open(instance);
  return { world, instance, clock, env: { ...env, AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint } };
}

/** The agent of a node reports to the service over HTTP, until its node is drained. */
async function scene(service: Readonly<Record<string, string>>) {
  const { env, clock } = await node();
  const both = { ...env, SECRET };
  const { child, url } = await serveHere({ ...both, ...service }, [], { clock });
  const agent = startHere(["watch", "--server", url, "--early-release"], both, { clock });
  await agent.line(/"service check passed"/);
  const drain = () =>
    fetch(`${url}/drain?id=${ID}`, { method: "POST", headers: { authorization: `Bearer ${SECRET}` } });
  return { child, agent, drain };
}

test("an agent counts from when the service drains its node, and says why a hold lasts for the whole delay", async () => {
  const { child, agent, drain } = await scene({ EARLY_RELEASE: "true" });
  expect((await drain()).status).toBe(200);
  const started = agent.output.split("\n").find((line) => line.includes('"connection count started"'));
  if (started !== undefined) {
    expect(JSON.parse(started)).toMatchObject({ node: ID });
    await agent.line(/"connection count ended"/);
  }
  const released = child.output.split("\n").filter((line) => line.includes('"target released"'));
  const { heldSeconds, notEarly } = released.map((line) => JSON.parse(line)).find(({ kind }) => kind === "alb");
  expect(heldSeconds).toBeGreaterThanOrEqual(DELAY_SECONDS);
  // Each agent reports once a second during a drain: at the default level, the log would have little else.
  expect(child.output).not.toContain("/connections");
  // The processes of this machine are not the node's: no connection to it is ever seen. On a busy machine the last report may have
  // come too late, or no table was read in time.
  expect(started === undefined ? ["not-counted"] : ["never-seen", "not-counted"]).toContain(notEarly);
});

test("an agent whose service does not end holds early says so, and goes on", async () => {
  const { agent, drain } = await scene({});
  expect(JSON.parse(await agent.line(/"connection report failed"/))).toMatchObject({
    error: "the service answered 409: holds do not end early: set EARLY_RELEASE for the service, or not for the agent",
  });
  expect((await drain()).status).toBe(200);
});

test("an agent that drains its node itself counts for itself", async () => {
  const { world, instance, env, clock } = await node();
  const agent = startHere(["watch", "--early-release"], { ...env, AWS_REGION: undefined }, { clock });
  await agent.line(/"watch started"/);
  world.interruptions.interrupt(instance);
  // On a busy machine it reads no table in time, and still asks itself what to count.
  const first = JSON.parse(await agent.line(/"connection count started"|"drain completed"/));
  if (first.msg === "connection count started") expect(first).toMatchObject({ node: ID });
  await agent.line(/"drain completed"/);
  expect(agent.output).not.toContain('"connection report failed"');
});
