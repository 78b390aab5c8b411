import { describe, expect, onTestFinished, test } from "vitest";
import { untilDrained } from "../../src/cli/hold.ts";
import type { RemoteAnswer } from "../../src/cli/remote-answer.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { ID } from "../support/account.ts";
import { runHere, serveHere, startHere } from "../support/run-here.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const SECRET = "a-secret-of-the-holder";
const NODE = { id: "i-00000000000000001", name: "node-1" };
const running = { status: 200, body: { node: NODE, drain: { drainId: "d-1" } } };
const ended = (status: string, outcome = {}) => ({ status: 200, body: { node: NODE, lastDrain: { status, outcome } } });
const idle = { status: 200, body: { node: NODE } };

/** Waits with these answers, one after the other; the last one again and again. */
function holding(...answers: readonly (RemoteAnswer | Error | "hang")[]) {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const lines: string[] = [];
  const service = {
    ask: (_: string, path: string) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)] ?? idle;
      asked.push(path);
      if (answer === "hang") return new Promise<never>(() => {});
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
  const log = (message: string) => lines.push(message);
  const done = untilDrained("node-1", { service, log: log as never, clock });
  return { clock, asked, lines, done };
}

describe("a pod that holds its node", () => {
  test("ends when the drain has ended, and asks by the instance id once it knows that", async () => {
    const { clock, asked, lines, done } = holding(running, running, running, ended("drained"));
    await clock.run(done);
    expect(asked).toEqual(["/nodes/node-1", ...Array(3).fill(`/nodes/${NODE.id}`)]);
    expect(lines).toEqual(["hold started", "hold ended"]);
  });

  test.each<[string, RemoteAnswer]>([
    ["was drained before", ended("drained")],
    ["had no registration", ended("nothing-registered")],
    ["is to stay", ended("cancelled")],
    ["has no time left", ended("deadline-passed", { limit: { reason: "deadline" } })],
    ["is gone", { status: 404, body: { code: "instance-gone" } }],
  ])("ends at once where the node %s", async (_, answer) => {
    const { clock, done } = holding(answer);
    await clock.run(done);
    expect(clock.elapsedMs).toBe(0);
  });

  test("ends after a moment where no drain is requested: the pod is replaced, and the node stays", async () => {
    const { clock, lines, done } = holding(idle);
    await clock.run(done);
    expect(clock.elapsedMs).toBe(15_000);
    expect(lines).toEqual(["hold ended"]);
  });

  test.each<[string, RemoteAnswer | Error | "hang"]>([
    ["failed, and is requested again", ended("failed")],
    ["ran into its timeout", ended("deadline-passed", { limit: { reason: "timeout" } })],
    ["was refused", ended("refused")],
    ["is not known, because the service is away", new Error("could not reach the service")],
    ["is not known, because the service hangs", "hang"],
    ["is not known, because the service fails", { status: 502, body: {} }],
  ])("stays while the drain %s", async (_, answer) => {
    const { clock, lines, done } = holding(running, answer, answer, answer, ended("drained"));
    await clock.run(done);
    expect(lines.at(-1)).toBe("hold ended");
    expect(lines.filter((line) => line === "hold status failed").length).toBeLessThan(2);
    expect(clock.elapsedMs).toBeGreaterThanOrEqual(20_000);
  });
});

test("hold keeps running until SIGTERM, and then until the service has drained the node", async () => {
  const region = new SimulatedRegion();
  const { id } = region.node();
  const awsUrl = await region.simulator.listen();
  onTestFinished(() => region.simulator.close());
  const { url } = await serveHere({ AWS_ENDPOINT_URL: awsUrl, SECRET });
  const hold = startHere(["hold", id, "--server", url], { AWS_ENDPOINT_URL: awsUrl, SECRET }, { program: "service" });
  await hold.line(/"msg":"hold ready"/);
  const headers = { authorization: `Bearer ${SECRET}` };
  expect((await fetch(`${url}/drain?id=${id}`, { method: "POST", headers })).status).toBe(200);
  hold.signal("SIGTERM");
  await hold.line(/"result":"nothing-registered","msg":"hold ended"/);
  expect((await hold.finished).code).toBe(0);
});

test("hold says what it needs", async () => {
  expect((await runHere(["hold", ID], { SECRET })).stderr).toMatch(/hold requires --server/);
  expect((await runHere(["hold", "1.2.3", "--server", "http://127.0.0.1:1"], { SECRET })).code).toBe(2);
});
