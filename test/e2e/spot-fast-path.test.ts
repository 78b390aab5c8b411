import { expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import { FAILS_MS, FastPathScene, NOTICE_MS, type Reclaimed } from "../support/fast-path-scene.ts";

/** One and a quarter minutes of it are waiting; the rest depends on how busy the machine is, and decides nothing. */
const TIMEOUT_MS = 600_000;
const LEAVING = 4;
const OPENED = "an NLB's flow, opened within its lag";
const OLDER = "an NLB's flow, older and still open";

/** `fastPath` absent: without the service. */
async function reclaim(fastPath?: "true" | "false"): Promise<Reclaimed> {
  const scene = await FastPathScene.open();
  if (fastPath !== undefined) await scene.serve({ NLB_FAST_PATH: fastPath });
  return scene.reclaim();
}

test("EC2 takes half of the nodes back: with the fast path their NLB opens no connection to a node that is gone", {
  timeout: TIMEOUT_MS,
}, async () => {
  // What is lost without the service is no promise of it.
  const [fast, slow, without] = await Promise.all([
    reclaim("true"),
    reclaim("false"),
    ALL_CASES ? reclaim() : undefined,
  ]);
  print({
    "with NLB_FAST_PATH": fast,
    "without NLB_FAST_PATH": slow,
    ...(without && { "without the service": without }),
  });

  // Each node is tainted once, beside its deregistration, and long before the machine goes.
  expect(fast).toMatchObject({ tainted: LEAVING, deregistered: 2 * LEAVING });
  expect(fast.log.match(/"msg":"node tainted"/g)).toHaveLength(LEAVING);
  expect(slow).toMatchObject({ tainted: 0, deregistered: 2 * LEAVING });
  expect(fast.secondsToTaint ?? Infinity).toBeLessThan((NOTICE_MS - FAILS_MS) / 2_000);

  // It is no request of cluster-autoscaler's, and promises nothing: the drain ends with its deadline, as without it.
  for (const { log } of [fast, slow]) {
    expect(log).not.toMatch(/cluster-autoscaler removes the node/);
    expect(log.match(/"outcome":"deadline-passed"/g)).toHaveLength(LEAVING);
  }

  // What is left are connections that clients keep: they last until the machine goes.
  expect(fast.secondsToLastConnection).toBeLessThan(NOTICE_MS / 1_000);
  expect(fast).toMatchObject({ requestsLost: { tcp: 0, web: 0 }, causes: { [OPENED]: 0, "any other": 0 } });
  expect(fast.causes[OLDER]).toBe(fast.connectionsLost);
  expect(fast.connectionsLost).toBeGreaterThan(0);
  expect(slow.causes).toMatchObject({ [OPENED]: slow.requestsLost.tcp, [OLDER]: slow.connectionsLost });
  expect(slow.requestsLost.web).toBe(0);
  expect(slow.requestsLost.tcp).toBeGreaterThan(0);
  if (without !== undefined) expect(Object.values(without.requestsLost).every((lost) => lost > 0)).toBe(true);
});

function print(runs: Readonly<Record<string, Reclaimed>>): void {
  for (const [name, { log, ...run }] of Object.entries(runs)) console.log(`${name}: ${JSON.stringify(run)}`);
}
