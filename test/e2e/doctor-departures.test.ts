import { expect, test } from "vitest";
import type { DoctorReport } from "../../src/doctor/report.ts";
import { SHORT, SHORT_SPARES } from "../support/departure-pools.ts";
import { DepartureScene } from "../support/departure-scene.ts";
import { codesOf } from "../support/doctor.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";
import { mend } from "../support/mending.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { runHere } from "../support/run-here.ts";

/** May do everything. */
const OPERATOR = { accessKeyId: "operator", secretAccessKey: "operator" };

/** What doctor says of the scene's group and queue, by its command line. */
async function doctor({ endpoint, queue, simulator }: DepartureScene): Promise<DoctorReport> {
  const QUEUE = queue.url;
  restrictChildren(simulator, { QUEUE }, { for: "serve", doctor: true });
  const environment = { AWS_ENDPOINT_URL: endpoint, AWS_REGION: "eu-west-1", QUEUE };
  const { stdout } = await runHere(["doctor", "--json"], environment);
  return JSON.parse(stdout);
}

/** Runs the commands of the finding. */
async function mended({ endpoint, queue }: DepartureScene, { findings }: DoctorReport, code: string): Promise<void> {
  const lines = findings.filter((one) => one.code === code).flatMap((one) => one.mend);
  expect(lines).not.toEqual([]);
  for (const line of lines)
    await mend(line, { endpoint, credentials: OPERATOR }, { endpoint: queue.endpoint, credentials: OPERATOR });
}

/** What clients lose while Auto Scaling takes a node away: none of it is due to a busy machine. */
async function lossesOf(scene: DepartureScene, index: number): Promise<number> {
  const leaving = scene.nodes.slice(index, index + 1);
  scene.scaleIn(leaving);
  await scene.untilOff(leaving);
  const { losses } = await scene.endTraffic();
  return lostByTheProduct(losses, SHORT_SPARES).length;
}

test("a hook that nothing hears of is found, and costs requests; with the rule and the policy of its commands, nothing is found and nothing lost", async () => {
  const results = [];
  for (const isMended of [false, true]) {
    const scene = await DepartureScene.open({ nodes: 4, timing: SHORT, isSilent: true });
    const report = await doctor(scene);
    expect(codesOf(report)).toContain("hook-unheard");
    if (isMended) {
      await mended(scene, report, "hook-unheard");
      // The rule that the commands make.
      scene.announce();
    }
    await scene.start();
    results.push([codesOf(await doctor(scene)).includes("hook-unheard"), await lossesOf(scene, 0)]);
  }
  expect(results).toEqual([
    [true, expect.toSatisfy((lost: number) => lost > 0)],
    [false, 0],
  ]);
});

test("a group without a termination hook is found, and costs requests; with the hook of its command, nothing is found and nothing lost", async () => {
  const results = [];
  for (const isMended of [false, true]) {
    const scene = await DepartureScene.open({ nodes: 4, timing: SHORT });
    scene.workers.hooks = [];
    const report = await doctor(scene);
    expect(codesOf(report)).toContain("group-without-hook");
    if (isMended) await mended(scene, report, "group-without-hook");
    await scene.start();
    results.push([codesOf(await doctor(scene)).includes("group-without-hook"), await lossesOf(scene, 0)]);
  }
  expect(results).toEqual([
    [true, expect.toSatisfy((lost: number) => lost > 0)],
    [false, 0],
  ]);
});

test("a queue without a dead-letter queue is found, until the commands of the finding have made one", async () => {
  const scene = await DepartureScene.open({ nodes: 2, timing: SHORT });
  const report = await doctor(scene);
  expect(codesOf(report)).toContain("queue-without-dead-letters");
  await mended(scene, report, "queue-without-dead-letters");
  expect(codesOf(await doctor(scene))).not.toContain("queue-without-dead-letters");
});
