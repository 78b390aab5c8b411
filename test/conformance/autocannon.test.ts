import autocannon, { type Result } from "autocannon";
import { expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import { carryInside } from "../support/machine-inside.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

const REQUESTS_PER_ROUND = ALL_CASES ? 200 : 80;
const LOAD = { connections: 8, amount: REQUESTS_PER_ROUND, sampleInt: 50 };
/** Of eight flows through an NLB to three nodes one test in 25 would have none to the one that leaves; of 32 one in 400,000. */
const CONNECTIONS_TO_LOSE = 32;
/** Simulated time that passes during a round. */
const ROUND_MS = 30_000;
const ROUNDS_MAX = 60;
/** A round takes a second or two of real time. */
const TEST_TIMEOUT_MS = 120_000;
/** After these many answers of a round something happens to a node. */
const ANSWERS_BEFORE = 40;

/** Nodes behind an ALB, an NLB and a classic load balancer, and a round of requests to each of them. */
async function scene() {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node(), region.node()];
  const [leaving] = nodes;
  if (leaving === undefined) throw new Error("no node");
  region.group({ name: "web", nodes, delaySeconds: 60 });
  region.group({ name: "raw", type: "network", nodes, delaySeconds: 60 });
  region.classic({ name: "old", nodes, drainingSeconds: 60 });
  const plane = await carryInside(region.world);
  const urls = { alb: plane.url("web-lb"), nlb: plane.url("raw-lb"), classic: plane.url("old") };
  // Each round opens connections of its own, since an NLB's flows outlive every hold.
  const round = () => Promise.all(Object.entries(urls).map(async ([kind, url]) => ({ kind, ...(await load(url)) })));
  return { region, leaving, urls, round };
}

async function load(url: string) {
  const { errors, non2xx, "2xx": good } = await autocannon({ ...LOAD, url });
  return { good, errors, non2xx };
}

test("autocannon loses nothing on any kind of load balancer while a node is taken out and then terminated", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { region, leaving, round } = await scene();
  let outcome: string | undefined;
  const drain = region
    .engine()
    .drain({ node: { by: "id", value: leaving.id }, dryRun: false }, never)
    .then(({ status }) => {
      outcome = status;
    });
  const rounds = [];
  while (outcome === undefined && rounds.length < ROUNDS_MAX) {
    const [results] = await Promise.all([round(), region.clock.advance(ROUND_MS)]);
    rounds.push(results);
  }
  await drain;
  expect(outcome).toBe("drained");
  region.world.terminateInstance(leaving);
  rounds.push(await round());
  expect(rounds.length).toBeGreaterThan(5);
  const lossless = { good: REQUESTS_PER_ROUND, errors: 0, non2xx: 0 };
  for (const results of rounds) {
    expect(results).toEqual(["alb", "nlb", "classic"].map((kind) => ({ kind, ...lossless })));
  }
});

test.each(["alb", "nlb", "classic"] as const)(
  "autocannon counts losses on a simulated load balancer of kind %s when a node is just terminated",
  async (kind) => {
    const { region, leaving, urls } = await scene();
    // Flows to a machine that is gone hang until their client gives up.
    const instance = autocannon({
      ...LOAD,
      connections: CONNECTIONS_TO_LOSE,
      url: urls[kind],
      timeout: 1,
      bailout: 1,
    });
    let answers = 0;
    instance.on("response", () => {
      answers += 1;
      if (answers === ANSWERS_BEFORE) region.world.terminateInstance(leaving);
    });
    let result: Result | undefined;
    const ended = instance.then((its) => {
      result = its;
    });
    // A load balancer gives up on the machine in simulated time: in small steps, so that clients meet it before.
    while (result === undefined) await region.clock.advance(region.world.instance(leaving.id)?.terminatedAt ? 50 : 0);
    await ended;
    expect(result.errors + result.non2xx).toBeGreaterThan(0);
  },
);
