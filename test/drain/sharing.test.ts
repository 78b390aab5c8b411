import { describe, expect, test } from "vitest";
import { DrainScene } from "../support/drain-scene.ts";

describe("requests for one node", () => {
  test("share one drain: one deregistration, one outcome for all", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1", "10.0.0.7");
    scene.cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    const first = scene.ask("i-1");
    await scene.clock.advance(20_000);
    const second = scene.ask("10.0.0.7");

    const [one, two] = await scene.clock.run(Promise.all([first, second]));

    expect(one).toMatchObject({ status: "drained" });
    expect(two).toBe(one);
    expect(scene.cloud.callsOf("deregister")).toHaveLength(1);
    expect(scene.elapsedSeconds).toBe(60);
    expect(scene.events.map(({ type }) => type)).toContain("joined");
  });

  test("end by the earliest of their deadlines, also when it comes with a later request", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    const first = scene.ask("i-1", { deadlineSeconds: 400 });
    await scene.clock.advance(20_000);
    const second = scene.ask("i-1", { deadlineSeconds: 120 });
    const third = scene.ask("i-1", { deadlineSeconds: 200 });

    const outcomes = await scene.clock.run(Promise.all([first, second, third]));

    expect(outcomes.map(({ status }) => status)).toEqual(Array(3).fill("deadline-passed"));
    expect(scene.elapsedSeconds).toBe(130);
  });

  test("go on for the others when one of them is abandoned", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    const stop = new AbortController();
    const leaving = scene.ask("i-1", { signal: stop.signal });
    const staying = scene.ask("i-1");
    await scene.clock.advance(20_000);
    stop.abort();

    expect(await leaving).toMatchObject({ status: "abandoned", registrations: [{ state: "holding" }] });
    expect(await scene.clock.run(staying)).toMatchObject({ status: "drained" });
    expect(scene.elapsedSeconds).toBe(300);
  });

  test("that come after a drain has ended begin another one", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const pool = scene.cloud.addPool("alb", "web", [node], { drainMs: 30_000 });
    const first = await scene.drain("i-1");
    scene.cloud.addRegistration(pool, node);
    const second = await scene.drain("i-1");
    expect(second).toMatchObject({ status: "drained" });
    expect("drainId" in second && "drainId" in first && second.drainId !== first.drainId).toBe(true);
    expect(scene.cloud.callsOf("deregister")).toHaveLength(2);
  });

  test("in dry run neither join a drain nor disturb it", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    const drain = scene.ask("i-1");
    await scene.clock.advance(20_000);
    const planned = await scene.ask("i-1", { dryRun: true });
    expect(planned).toMatchObject({ status: "planned", plan: { registrations: [{ action: "hold" }] } });
    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained" });
  });
});

describe("nodes that hold on the same pool", () => {
  test("share each look at it: twenty nodes cost as many looks as one", async () => {
    const scene = new DrainScene();
    const nodes = Array.from({ length: 20 }, (_, number) => scene.cloud.addNode(`i-${number}`, `10.0.0.${number}`));
    const tcp = scene.cloud.addPool("nlb", "tcp", nodes);

    const outcomes = await scene.clock.run(Promise.all(nodes.map(({ id }) => scene.ask(id))));

    expect(outcomes.every(({ status }) => status === "drained")).toBe(true);
    expect(scene.secondsOf("observe", tcp)).toEqual([7, 67, 127, 187, 247, 300]);
    expect(scene.cloud.callsOf("observe", tcp)[0]?.nodes).toHaveLength(20);
  });

  test("share the question whether their machines are gone", async () => {
    const scene = new DrainScene();
    const nodes = ["i-1", "i-2"].map((id) => scene.cloud.addNode(id));
    scene.cloud.addPool("alb", "web", nodes, { drainMs: 40_000 });
    await scene.clock.run(Promise.all(nodes.map(({ id }) => scene.ask(id))));
    expect(scene.cloud.callsOf("findTerminated").map((call) => call.nodes)).toEqual([
      ["i-1", "i-2"],
      ["i-1", "i-2"],
    ]);
  });

  test("are released each at its own time", async () => {
    const scene = new DrainScene();
    const nodes = ["i-1", "i-2"].map((id) => scene.cloud.addNode(id, `10.0.0.${id.slice(2)}`));
    const web = scene.cloud.addPool("alb", "web", nodes, { drainMs: 60_000 });
    const first = scene.ask("i-1");
    await scene.clock.advance(20_000);
    const second = scene.ask("i-2");
    expect(await scene.clock.run(first)).toMatchObject({ status: "drained" });
    expect(scene.elapsedSeconds).toBe(60);
    expect(await scene.clock.run(second)).toMatchObject({ status: "drained" });
    expect(scene.elapsedSeconds).toBe(80);
    expect(scene.secondsOf("observe", web)).toEqual([7, 27, 60, 80]);
  });

  test("do not end together when one of them is abandoned", async () => {
    const scene = new DrainScene();
    const nodes = ["i-1", "i-2"].map((id) => scene.cloud.addNode(id, `10.0.0.${id.slice(2)}`));
    scene.cloud.addPool("alb", "web", nodes);
    const stop = new AbortController();
    const leaving = scene.ask("i-1", { signal: stop.signal });
    const staying = scene.ask("i-2");
    await scene.clock.advance(20_000);
    stop.abort();
    expect(await leaving).toMatchObject({ status: "abandoned" });
    expect(await scene.clock.run(staying)).toMatchObject({ status: "drained" });
  });
});
