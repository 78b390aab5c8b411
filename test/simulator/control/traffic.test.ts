import { describe, expect, test } from "vitest";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import { Controlled } from "./controlled.ts";

const [FIRST, SECOND] = ["i-00001000000000001", "i-00001000000000002"];

/** Time stands still, so that health checks notice only what a test waits for. */
async function scene() {
  const clock = new ScaledClock(1);
  clock.setSpeed(0);
  const control = await Controlled.open(
    `
instances: [{ name: node, count: 2 }]
targetGroups:
  - { name: web, protocol: HTTP, port: 80, targets: [{ instances: [node] }] }
  - name: tcp
    protocol: TCP
    port: 81
    attributes: { load_balancing.cross_zone.enabled: true }
    targets: [{ instances: [node] }]
loadBalancers:
  - { name: front, type: application, listeners: [{ protocol: HTTP, port: 80, action: { forward: [{ group: web }] } }] }
  - { name: tcp-front, type: network, listeners: [{ protocol: TCP, port: 81, action: { forward: [{ group: tcp }] } }] }
classicLoadBalancers:
  - { name: legacy, listeners: [{ protocol: HTTP, port: 80, instancePort: 82 }], instances: [node] }
`,
    clock,
  );
  const [alb = "", nlb = "", classic = ""] = control.region.entrances.map(({ url }) => url);
  return { clock, control, alb, nlb, classic };
}

/** The status of a request on a connection of its own, and who served it. Undefined where the connection broke. */
async function request(url: string): Promise<readonly [status: number, servedBy: string | null] | undefined> {
  const answer = await fetch(url, { headers: { connection: "close" } }).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer && [answer.status, answer.headers.get("x-served-by")];
}

test("with time standing still, a request to a silent machine waits, and is abandoned when its client gives up", async () => {
  const { clock, control, alb } = await scene();
  await control.post("machine-failures", { instances: ["node"] });
  await expect(fetch(alb, { signal: AbortSignal.timeout(300) })).rejects.toThrow("timeout");
  await expect.poll(async () => (await control.state()).traffic).toMatchObject({ open: 0, abandoned: 1, failed: 0 });
  const waiting = request(alb);
  await expect.poll(async () => (await control.state()).traffic.open).toBe(1);
  await clock.advance(10_000);
  expect((await waiting)?.[0]).toBe(504);
  expect((await control.state()).traffic).toMatchObject({ abandoned: 1, failed: 1 });
});

async function requests(url: string, count: number) {
  const all = [];
  for (let made = 0; made < count; made++) all.push(await request(url));
  return all;
}

async function carried({ control }: Pick<Awaited<ReturnType<typeof scene>>, "control">) {
  const { loadBalancers, classicLoadBalancers, targetGroups, traffic } = await control.state();
  const listeners = [...loadBalancers, ...classicLoadBalancers].flatMap((one) => one.listeners);
  return {
    traffic,
    listeners: listeners.map((listener) => listener.traffic),
    web: targetGroups[0]?.targets.map((target) => target.traffic.answered),
  };
}

describe("the traffic in the state", () => {
  test("is what clients have seen: answered, failed and abandoned, by listener and by target", async () => {
    const { control, alb, nlb, classic } = await scene();
    expect(await requests(alb, 4)).toEqual([FIRST, SECOND, FIRST, SECOND].map((id) => [200, id]));
    await requests(nlb, 3);
    await requests(classic, 2);
    const leaving = new AbortController();
    const left = fetch(`${alb}/?delay=60000`, { signal: leaving.signal }).catch(() => {});
    await expect.poll(async () => (await carried({ control })).traffic.open).toBe(1);
    leaving.abort();
    await left;
    const none = { open: 0, failed: 0, abandoned: 0 };
    await expect
      .poll(async () => (await carried({ control })).listeners)
      .toEqual([
        { ...none, answered: 4, abandoned: 1 },
        { ...none, answered: 3 },
        { ...none, answered: 2 },
      ]);
    const { traffic, web } = await carried({ control });
    expect([traffic, web]).toEqual([{ ...none, answered: 9, abandoned: 1 }, [2, 2]]);
  });

  test("goes on to name a target that AWS lists no more", async () => {
    const { clock, control, alb } = await scene();
    await requests(alb, 2);
    const [group] = (await control.state()).targetGroups;
    const target = `TargetGroupArn=${group?.arn}&Targets.member.1.Id=${FIRST}`;
    await control.aws(`Version=2015-12-01&Action=DeregisterTargets&${target}`);
    const web = async () =>
      (await control.state()).targetGroups[0]?.targets.map(({ state, receivesNew }) => [state, receivesNew]);
    // AWS calls it draining at once, and its load balancer does not know yet.
    expect(await web()).toEqual([
      ["draining", true],
      ["healthy", true],
    ]);
    await clock.advance(60_000);
    expect(await web()).toEqual([
      ["draining", false],
      ["healthy", true],
    ]);
    await clock.advance(300_000);
    expect(await web()).toEqual([
      ["healthy", true],
      ["not-registered", false],
    ]);
    expect((await control.state()).targetGroups[0]?.targets[1]).toMatchObject({ id: FIRST, traffic: { answered: 1 } });
  });
});

describe("a machine", () => {
  test("whose program has ended refuses connections, until it recovers", async () => {
    const { clock, control, alb, nlb } = await scene();
    expect(await control.post("program-stops", { instances: ["node-1"] })).toEqual({ instances: [FIRST] });
    expect((await requests(alb, 2)).map((answer) => answer?.[0])).toEqual([502, 200]);
    expect((await requests(nlb, 12)).filter((answer) => answer === undefined).length).toBeGreaterThan(0);
    const { listeners } = await carried({ control });
    expect(listeners[0]).toMatchObject({ answered: 1, failed: 1 });
    expect(listeners[1]?.failed).toBeGreaterThan(0);
    await clock.advance(120_000);
    expect(await requests(alb, 2)).toEqual([SECOND, SECOND].map((id) => [200, id]));
    expect((await control.state()).instances[0]).toMatchObject({ state: "running", answering: false });
    await control.post("recoveries", { instances: ["node-1"] });
    await clock.advance(300_000);
    expect((await requests(alb, 2)).map((answer) => answer?.[1]).sort()).toEqual([FIRST, SECOND]);
    expect((await requests(nlb, 12)).every((answer) => answer?.[0] === 200)).toBe(true);
  });

  test("that has failed gives no answer at all, while EC2 says that it runs", async () => {
    const { clock, control, alb } = await scene();
    await control.post("machine-failures", { zone: "eu-west-1a" });
    const [slow, quick] = [request(alb), request(alb)];
    expect(await Promise.race([slow, quick])).toEqual([200, SECOND]);
    await clock.advance(10_000);
    expect((await Promise.all([slow, quick])).map((answer) => answer?.[0]).sort()).toEqual([200, 504]);
    expect((await carried({ control })).listeners[0]).toMatchObject({ answered: 1, failed: 1 });
    expect((await control.state()).instances.map(({ state, answering }) => [state, answering])).toEqual([
      ["running", false],
      ["running", true],
    ]);
    await control.post("recoveries", { zone: "eu-west-1a" });
    await clock.advance(300_000);
    expect((await requests(alb, 2)).map((answer) => answer?.[1]).sort()).toEqual([FIRST, SECOND]);
  });
});

test("the same seed and the same connections bring the same targets, and another seed others", async () => {
  const served = async (seed: number) => {
    const control = await Controlled.open(
      `
seed: ${seed}
instances: [{ name: node, count: 4, zones: [eu-west-1a] }]
targetGroups: [{ name: tcp, protocol: TCP, port: 81, targets: [{ instances: [node] }] }]
loadBalancers:
  - { name: front, type: network, listeners: [{ protocol: TCP, port: 81, action: { forward: [{ group: tcp }] } }] }
`,
    );
    const ids = (await requests(control.region.entrances[0]?.url ?? "", 12)).map((answer) => answer?.[1]);
    return { ids, arn: (await control.state()).targetGroups[0]?.arn };
  };
  const [one, again, other] = [await served(7), await served(7), await served(8)];
  expect(again).toEqual(one);
  expect(new Set(one.ids).size).toBeGreaterThan(2);
  expect(other.ids).not.toEqual(one.ids);
  expect(other.arn).not.toBe(one.arn);
});
