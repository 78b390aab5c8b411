import { readFileSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { API_NAMES } from "../../../src/simulator/api/answer.ts";
import { ScaledClock, VirtualClock } from "../../../src/simulator/clock.ts";
import { Control } from "../../../src/simulator/control/control.ts";
import { stateSchema } from "../../../src/simulator/control/state-schema.ts";
import { Simulator } from "../../../src/simulator/simulator.ts";
import { World } from "../../../src/simulator/world/world.ts";
import { announced } from "../announced.ts";
import { Controlled, DESCRIBE_INSTANCES } from "./controlled.ts";

const NODES = "dataPlane: false\ninstances: [{ name: node, count: 3 }, { name: spare }]";
const FIRST = "i-00001000000000001";

/** An ALB in front of the nodes, which an Auto Scaling group with a hook owns. */
const GROUP = `
${NODES}
targetGroups: [{ name: web, protocol: HTTP, port: 80, targets: [{ instances: [node] }] }]
loadBalancers:
  - { name: front, type: application, listeners: [{ protocol: HTTP, port: 80, action: { forward: [{ group: web }] } }] }
autoScalingGroups:
  - { name: workers, instances: [node], minSize: 1, maxSize: 3, hooks: [{ name: drain, heartbeatTimeoutSeconds: 60 }] }
`;

describe("the health path", () => {
  test("says 503 until the region is ready, and 200 from then on", async () => {
    const world = new World({ clock: new VirtualClock() });
    const control = new Control();
    const simulator = new Simulator(world, { beside: control });
    const url = `${await simulator.listen()}/_simulator/health`;
    onTestFinished(() => simulator.close());
    const early = await fetch(url);
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
    control.open({ world, simulator, idsOf: () => [], instanceIds: new Map(), plane: undefined, metadata: [] });
    const ready = await fetch(url);
    expect([ready.status, await ready.json()]).toEqual([200, { status: "ok" }]);
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
  });
});

describe("departures", () => {
  test("a spot interruption warns now, and takes the machine two minutes later, as a scenario's does", async () => {
    const { region, clock, post } = await withPost(NODES);
    const heard = announced(region.world);
    expect(await post("interruptions", { instances: ["node-1"] })).toEqual({ instances: [FIRST] });
    await clock.advance(130_000);
    expect(heard).toEqual([
      [0, "interruption terminate"],
      [120, "shutting-down"],
      [125, "terminated"],
    ]);
  });

  test("each kind comes after the time that it names, to all machines of an entry or to an id", async () => {
    const { region, clock, post } = await withPost(GROUP);
    const heard = announced(region.world);
    await post("rebalance-recommendations", { instances: [FIRST], afterSeconds: 10 });
    await post("root-volume-replacements", { instances: ["node-2"], afterSeconds: 20 });
    await post("scheduled-events", { code: "instance-stop", instances: ["spare"], startsInSeconds: 60 });
    await post("interruptions", { instances: ["node"], of: "capacity-reservation", afterSeconds: 200 });
    await clock.advance(201_000);
    expect(heard).toEqual([
      [0, "scheduled-change"],
      [10, "rebalance-recommendation"],
      [20, "lifecycle-action"],
      [60, "stopping"],
      [60, "scheduled-change"],
      [65, "stopped"],
      [200, "interruption terminate"],
      [200, "interruption terminate"],
      [200, "interruption terminate"],
    ]);
  });

  test("a group scales in by its hook, and the answer names the instance that leaves", async () => {
    const { region, clock, control, post } = await withPost(GROUP);
    const heard = announced(region.world);
    const { instances } = await post("desired-capacity", { group: "workers", desiredCapacity: 2 });
    expect(instances).toEqual([FIRST]);
    const [group] = (await control.state()).autoScalingGroups;
    expect(group).toMatchObject({
      desiredCapacity: 2,
      instances: { length: 3, 0: { lifecycleState: "Terminating:Wait" } },
    });
    await clock.advance(60_000);
    expect(heard).toEqual([
      [0, "lifecycle-action"],
      [60, "shutting-down"],
    ]);
  });
});

describe("calls to AWS", () => {
  test("fail by a fault until the faults are ended, while the control API goes on", async () => {
    const { control, post } = await withPost(NODES);
    const effect = { type: "error", code: "InternalError", status: 500 };
    await post("faults", { api: "ec2", action: "DescribeInstances", when: { every: 2 }, effect });
    const statuses = async () => [
      (await control.aws(DESCRIBE_INSTANCES)).status,
      (await control.aws(DESCRIBE_INSTANCES)).status,
    ];
    expect(await statuses()).toEqual([200, 500]);
    expect((await control.state()).calls).toEqual({ "ec2:DescribeInstances": 2 });
    expect((await control.call("DELETE", "faults")).status).toBe(200);
    expect(await statuses()).toEqual([200, 200]);
  });

  test("are throttled from when quotas are set until they are ended, and control calls draw on none", async () => {
    const { control } = await withPost(NODES);
    const one = { tokens: 1, refillPerSecond: 0 };
    expect((await control.call("PUT", "quotas", { ec2NonMutating: one, ec2Unfiltered: one })).status).toBe(200);
    const call = async () => (await control.aws(DESCRIBE_INSTANCES)).text;
    expect(await call()).toContain("<reservationSet>");
    expect(await call()).toContain("RequestLimitExceeded");
    await control.call("DELETE", "quotas");
    expect(await call()).toContain("<reservationSet>");
  });

  test("are not mistaken for control calls by a path that only resembles the prefix", async () => {
    const { region } = await withPost(NODES);
    const answer = await fetch(`${region.url}/_simulatored`, { method: "POST", body: DESCRIBE_INSTANCES });
    expect(await answer.text()).toContain("<DescribeInstancesResponse");
  });
});

test("AWS says of health checks that are refused that they failed, and of those without an answer that they timed out", async () => {
  const { control, clock, post } = await withPost(GROUP);
  const said = async () => {
    const { targetGroups } = await control.state();
    const parameters = `Version=2015-12-01&Action=DescribeTargetHealth&TargetGroupArn=${targetGroups[0]?.arn}`;
    const { text } = await control.aws(parameters);
    const healths = [...text.matchAll(/<TargetHealth>.*?<\/TargetHealth>/gs)].map(([health]) => health);
    const reasons = healths.map((health) => /<Description>([^<]*)</.exec(health)?.[1]);
    return { reasons, codes: targetGroups[0]?.targets.map(({ reason }) => reason) };
  };
  await post("program-stops", { instances: ["node-1"] });
  await post("machine-failures", { instances: ["node-2"] });
  await clock.advance(60_000);
  expect(await said()).toEqual({
    reasons: ["Health checks failed", "Request timed out", undefined],
    codes: ["Target.FailedHealthChecks", "Target.Timeout", undefined],
  });
  await post("machine-failures", { instances: ["node-1"] });
  expect((await said()).reasons).toEqual(["Request timed out", "Request timed out", undefined]);
  await post("recoveries", { instances: ["node-1", "node-2"] });
  await clock.advance(150_000);
  expect((await said()).codes).toEqual([undefined, undefined, undefined]);
});

describe("zonal shifts", () => {
  test("take a zone's targets out of traffic, though AWS's API calls them healthy, until they are ended", async () => {
    const { control, post } = await withPost(GROUP);
    const receiving = async () => {
      const [group] = (await control.state()).targetGroups;
      return group?.targets.map(({ state, receivesNew }) => [state, receivesNew]);
    };
    await post("zonal-shifts", { loadBalancer: "front", zone: "eu-west-1a" });
    expect(await receiving()).toEqual([
      ["healthy", false],
      ["healthy", true],
      ["healthy", true],
    ]);
    expect((await control.state()).loadBalancers[0]?.shiftedZones).toEqual(["eu-west-1a"]);
    await control.call("DELETE", "zonal-shifts");
    expect((await receiving())?.map(([, receives]) => receives)).toEqual([true, true, true]);
  });

  test("are one at a time for each load balancer, as AWS has it", async () => {
    const { control, post } = await withPost(GROUP);
    const shift = (zone: string) => control.call("POST", "zonal-shifts", { loadBalancer: "front", zone });
    await post("zonal-shifts", { loadBalancer: "front", zone: "eu-west-1a" });
    expect((await shift("eu-west-1a")).status).toBe(200);
    expect(await shift("eu-west-1b")).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("There's already an active zonal shift for that resource identifier") },
    });
    const shifted = async () => (await control.state()).loadBalancers[0]?.shiftedZones;
    expect(await shifted()).toEqual(["eu-west-1a"]);
    await control.call("DELETE", "zonal-shifts");
    expect((await shift("eu-west-1b")).status).toBe(200);
    expect(await shifted()).toEqual(["eu-west-1b"]);
  });
});

describe("the clock", () => {
  test("stands still, is advanced through everything that is due, and runs on", async () => {
    const clock = new ScaledClock(1);
    const control = await Controlled.open(GROUP, clock);
    expect((await control.call("PUT", "clock", { speed: 0 })).body).toMatchObject({ speed: 0 });
    await control.post("interruptions", { instances: ["spare"] });
    await control.post("desired-capacity", { group: "workers", desiredCapacity: 2 });
    const before = await control.state();
    expect(before.instances.map(({ state }) => state)).toEqual(["running", "running", "running", "running"]);
    const { now } = await control.post("clock/advances", { seconds: 3_600 });
    expect(Date.parse(now) - Date.parse(before.now)).toBe(3_600_000);
    const after = await control.state();
    // The hook has timed out, EC2 has acted on its warning, and both machines are off.
    expect(after.instances.map(({ state }) => state)).toEqual(["terminated", "running", "running", "terminated"]);
    expect((await control.state()).now).toBe(after.now);
    expect((await control.call("PUT", "clock", { speed: 50 })).body).toMatchObject({ speed: 50 });
    expect([clock.speed, (await control.state()).speed]).toEqual([50, 50]);
  });

  test("is not set where it is another's", async () => {
    const { control } = await withPost(NODES);
    expect(await control.call("PUT", "clock", { speed: 2 })).toMatchObject({
      status: 409,
      body: { detail: "the clock of this region is set by its owner" },
    });
  });
});

describe("a request that is refused", () => {
  test.each([
    ["POST", "interruptions", undefined, 400, "there is no body: give a JSON object"],
    ["POST", "interruptions", "{", 400, "the body is not JSON: line 1, column 2: it ends too early"],
    ["POST", "interruptions", [], 400, "a list is not an object"],
    ["POST", "interruptions", { instances: [] }, 400, "instances: "],
    ["POST", "interruptions", { instances: ["node"], action: "eat" }, 400, "action: 'eat' is not one of terminate"],
    ["POST", "interruptions", { instances: ["nobody", "node"] }, 404, "no machine has the name or id 'nobody'"],
    ["POST", "scheduled-events", { instances: ["node"], code: "instance-stop" }, 400, "startsInSeconds: is missing"],
    ["POST", "desired-capacity", { group: "none", desiredCapacity: 1 }, 404, "no Auto Scaling group 'none': the "],
    ["POST", "desired-capacity", { group: "workers", desiredCapacity: 4 }, 409, "workers may have 1 to 3 instances"],
    ["POST", "interruptions", '{"instances":\n [node]}', 400, "the body is not JSON: line 2, column 4: unexpected 'o'"],
    [
      "POST",
      "interruptions",
      { instances: ["node"], afterSecond: 5 },
      400,
      "'afterSecond': did you mean afterSeconds?",
    ],
    ["POST", "root-volume-replacements", { instances: ["spare"] }, 409, "spare (i-00002000000000001) is in no Auto Sc"],
    ["POST", "machine-failures", { instances: "node-1" }, 400, 'instances is "node-1", not a list: give {"instances"'],
    ["POST", "machine-failures", { instances: ["node"], zone: "a" }, 400, "both instances and zone are given: give {"],
    ["POST", "machine-failures", { zone: 1 }, 400, "zone is 1, not the name of a zone: give {"],
    ["POST", "machine-failures", { instances: [1] }, 400, "instances is [1]: give {"],
    ["POST", "machine-failures", {}, 400, "neither instances nor zone is given: give {"],
    ["POST", "machine-failures", { machines: 1 }, 400, "the keys machines are given: give {"],
    [
      "POST",
      "faults",
      { action: "DeregisterTarget", effect: { type: "hang" } },
      400,
      "action: 'DeregisterTarget' is no",
    ],
    ["POST", "machine-failures", { zone: "eu-west-1z" }, 404, "no machine is in the zone 'eu-west-1z': machines are "],
    ["POST", "zonal-shifts", { loadBalancer: "back", zone: "eu-west-1a" }, 404, "'back' is no load balancer"],
    ["POST", "zonal-shifts", { loadBalancer: "front", zone: "x" }, 409, "front is not in the zone 'x', but in eu-w"],
    ["POST", "faults", { effect: { type: "fire" } }, 400, "effect"],
    ["PUT", "quotas", { code: "No" }, 400, "code: 'No' is not one of Throttling"],
    ["PUT", "clock", { speed: -1 }, 400, "speed: is -1: give at least 0"],
    ["PUT", "clock", { speed: 1_001 }, 400, "speed: is 1001: give at most 1000"],
    ["POST", "clock/advances", { seconds: "1" }, 400, "seconds: '1' is not a number"],
    ["POST", "faults", " ".repeat(300_000), 413, "the body has 300000 bytes: give at most 262144"],
    ["GET", "interruptions", undefined, 405, "this path takes POST"],
    ["DELETE", "clock", undefined, 405, "this path takes PUT"],
    ["GET", "", undefined, 404, "there is no such path: there are /_simulator/health, "],
    ["GET", "state/", undefined, 404, "there is no such path"],
  ])("%s %s with %j says what is wrong: %d", async (method, path, body, status, detail) => {
    const { control } = await withPost(GROUP);
    const before = await control.state();
    const answer = await control.call(method, path, body);
    expect(answer).toMatchObject({ status, type: "application/problem+json", body: { status } });
    expect(answer.body.detail).toContain(detail);
    expect(await control.state()).toEqual(before);
  });

  test("of a machine that is off says so", async () => {
    const { control, post } = await withPost(NODES);
    await control.aws(`Version=2016-11-15&Action=TerminateInstances&InstanceId.1=${FIRST}`);
    expect((await control.call("POST", "program-stops", { instances: ["node-1"] })).body.detail).toBe(
      `node-1 (${FIRST}) does not run: name machines that run`,
    );
    // Of a zone, the others are meant.
    expect(await post("machine-failures", { zone: "eu-west-1a" })).toEqual({ instances: ["i-00002000000000001"] });
  });
});

describe("what can't happen is refused", () => {
  test("for a machine that is terminated or, at once, stopped, with what was named", async () => {
    const { control, post } = await withPost(GROUP);
    await control.aws(`Version=2016-11-15&Action=TerminateInstances&InstanceId.1=${FIRST}`);
    await control.aws("Version=2016-11-15&Action=StopInstances&InstanceId.1=i-00002000000000001");
    const refusal = async (path: string, instances: readonly string[], more = {}) => {
      const { status, body } = await control.call("POST", path, { instances, ...more });
      return [status, body.detail];
    };
    const gone = [409, `node-1 (${FIRST}) is terminated: name a machine that runs`];
    const event = { code: "instance-stop", startsInSeconds: 1 };
    expect(await refusal("interruptions", ["node-1", "node-2"])).toEqual(gone);
    expect(await refusal("interruptions", ["node-1"], { afterSeconds: 5 })).toEqual(gone);
    expect(await refusal("rebalance-recommendations", ["node-1"])).toEqual(gone);
    expect(await refusal("scheduled-events", ["node-1"], event)).toEqual(gone);
    expect(await refusal("root-volume-replacements", ["node-1"])).toEqual(gone);
    expect(await refusal("interruptions", ["spare"])).toEqual([
      409,
      "spare (i-00002000000000001) is stopped: start it before",
    ]);
    expect(await post("interruptions", { instances: ["spare"], afterSeconds: 5 })).toHaveProperty("instances");
    expect((await control.state()).instances[1]?.state).toBe("running");
  });

  test("for members that are out of service", async () => {
    const { control, post } = await withPost(GROUP);
    const { instances } = await post("desired-capacity", { group: "workers", desiredCapacity: 2 });
    const { status, body } = await control.call("POST", "root-volume-replacements", { instances });
    expect([status, body.detail]).toEqual([
      409,
      expect.stringMatching(
        /^node-\d \(i-\w+\) is Terminating:Wait in its Auto Scaling group: wait until it is InServ/,
      ),
    ]);
  });

  test("for a group that launches nothing and is to grow", async () => {
    const { control, post } = await withPost(GROUP);
    await post("desired-capacity", { group: "workers", desiredCapacity: 2 });
    const growth = { group: "workers", desiredCapacity: 3 };
    const { status, body } = await control.call("POST", "desired-capacity", growth);
    expect([status, body.detail]).toEqual([
      409,
      "the group workers launches nothing, so it stays at 2 and can't have 3: give it launchSeconds in the scenario",
    ]);
    const launching = await withPost(GROUP.replace("minSize: 1", "minSize: 1, launchSeconds: 30"));
    await launching.post("desired-capacity", { group: "workers", desiredCapacity: 2 });
    await launching.post("desired-capacity", growth);
  });
});

describe("a request to the endpoint that is no call of AWS", () => {
  test.each([
    ["GET", "/"],
    ["HEAD", "/"],
    ["GET", "/_simulator"],
    ["POST", "/_simulator"],
  ])("%s %s says where the control API is", async (method, path) => {
    const { region } = await withPost(NODES);
    const answer = await fetch(`${region.url}${path}`, { method });
    expect(answer.status).toBe(404);
    if (method !== "HEAD")
      expect(await answer.json()).toMatchObject({
        detail: expect.stringMatching(
          /^this is the endpoint for AWS clients .* The control API begins at \/_simulator\//,
        ),
      });
  });

  test("but for a call in the URL", async () => {
    const { region } = await withPost(NODES);
    expect(await (await fetch(`${region.url}/?${DESCRIBE_INSTANCES}`)).text()).toContain("<DescribeInstancesResponse");
  });
});

describe("the state", () => {
  test("keeps every target that was registered, also without traffic, as not-registered", async () => {
    const { control, clock } = await withPost(`${GROUP}
classicLoadBalancers:
  - { name: legacy, listeners: [{ protocol: HTTP, port: 80, instancePort: 82 }], instances: [node] }
`);
    const states = async () => {
      const { targetGroups, classicLoadBalancers } = await control.state();
      return [targetGroups[0]?.targets, classicLoadBalancers[0]?.instances].map((all) =>
        Object.fromEntries(all?.map(({ id, state }) => [id.at(-1), state]) ?? []),
      );
    };
    const arn = encodeURIComponent((await control.state()).targetGroups[0]?.arn ?? "");
    const deregister = `Action=DeregisterTargets&TargetGroupArn=${arn}&Targets.member.1.Id=${FIRST}`;
    expect((await control.aws(`Version=2015-12-01&${deregister}`)).status).toBe(200);
    const leave = `LoadBalancerName=legacy&Instances.member.1.InstanceId=${FIRST}`;
    await control.aws(`Version=2012-06-01&Action=DeregisterInstancesFromLoadBalancer&${leave}`);
    await control.aws("Version=2016-11-15&Action=TerminateInstances&InstanceId.1=i-00001000000000002");
    expect((await states())[0]).toMatchObject({ 1: "draining", 3: "healthy" });
    await clock.advance(400_000);
    expect(await states()).toEqual([
      { 1: "not-registered", 2: "not-registered", 3: "healthy" },
      { 1: "not-registered", 2: expect.any(String), 3: "InService" },
    ]);
  });

  test("has every address of a listener, for connections and for datagrams", async () => {
    const { control } = await withPost(readFileSync("docs/scenarios/flows.yaml", "utf8"));
    const listeners = (await control.state()).loadBalancers.flatMap((one) => one.listeners);
    const schemes = listeners.map(({ protocol, url, urls = [] }) => {
      expect(url).toBe(urls[0]);
      return [protocol, ...urls.map((each) => each.split(":")[0])];
    });
    expect(schemes).toEqual([
      ["TCP", "http"],
      ["UDP", "udp"],
      ["TCP_UDP", "http", "udp"],
      ["GENEVE", "http", "udp"],
    ]);
  });

  test.each(["small-cluster", "auto-scaling", "quick", "spot"])(
    "of the scenario %s is as its schema says",
    async (name) => {
      const text = readFileSync(`docs/scenarios/${name}.yaml`, "utf8").replace(/^events:[\s\S]*/m, "");
      const { control } = await withPost(`${text}\ndataPlane: false\n`);
      const state = await control.state();
      expect(stateSchema.strict().parse(state)).toEqual(state);
      expect(state.instances.length).toBeGreaterThan(2);
    },
  );
});

test("the list of actions has those that are answered, by API", async () => {
  const { control } = await withPost(NODES);
  const { body } = await control.call("GET", "actions");
  expect(Object.keys(body).sort()).toEqual([...API_NAMES].sort());
  expect(body.ec2).toContain("DescribeInstances");
  expect(body.elbv2).toContain("DeregisterTargets");
});

async function withPost(text: string) {
  const control = await Controlled.open(text);
  const { region, clock } = control;
  return { control, region, clock, post: (path: string, body: unknown) => control.post(path, body) };
}
