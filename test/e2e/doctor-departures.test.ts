import { ListQueuesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { expect, onTestFinished, test, vi } from "vitest";
import type { DoctorReport } from "../../src/doctor/report.ts";
import { account } from "../support/account.ts";
import { ALL_CASES } from "../support/cases.ts";
import { SHORT, SHORT_SPARES } from "../support/departure-pools.ts";
import { DepartureScene } from "../support/departure-scene.ts";
import { codesOf } from "../support/doctor.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";
import { mend } from "../support/mending.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import type { Running } from "../support/program-run.ts";
import { realQueue } from "../support/real-queue.ts";
import { runHere, serveHere } from "../support/run-here.ts";

/** May do everything. */
const OPERATOR = { accessKeyId: "operator", secretAccessKey: "operator" };

type QueueScene = Pick<DepartureScene, "endpoint" | "queue" | "simulator">;

/** What doctor says of the scene's group and queue, by its command line. */
async function doctor({ endpoint, queue, simulator }: QueueScene): Promise<DoctorReport> {
  const QUEUE = queue.url;
  restrictChildren(simulator, { QUEUE }, { for: "serve", doctor: true });
  const environment = { AWS_ENDPOINT_URL: endpoint, AWS_REGION: "eu-west-1", QUEUE };
  const { stdout } = await runHere(["doctor", "--json"], environment);
  return JSON.parse(stdout);
}

/** Runs the commands of the finding. */
async function mended({ endpoint, queue }: QueueScene, { findings }: DoctorReport, code: string): Promise<void> {
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

/** Before another region is this process's. */
async function ended(service: Running): Promise<void> {
  service.signal("SIGTERM");
  service.signal("SIGTERM");
  await service.finished;
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
    const service = await scene.startInside();
    results.push([codesOf(await doctor(scene)).includes("hook-unheard"), await lossesOf(scene, 0)]);
    await ended(service);
  }
  expect(results).toEqual([
    [true, expect.toSatisfy((lost: number) => lost > 0)],
    [false, 0],
  ]);
});

test.runIf(ALL_CASES)(
  "a group without a termination hook is found, and costs requests; with the hook of its command, nothing is found and nothing lost",
  async () => {
    const results = [];
    for (const isMended of [false, true]) {
      const scene = await DepartureScene.open({ nodes: 4, timing: SHORT });
      scene.workers.hooks = [];
      const report = await doctor(scene);
      expect(codesOf(report)).toContain("group-without-hook");
      if (isMended) await mended(scene, report, "group-without-hook");
      const service = await scene.startInside();
      results.push([codesOf(await doctor(scene)).includes("group-without-hook"), await lossesOf(scene, 0)]);
      await ended(service);
    }
    expect(results).toEqual([
      [true, expect.toSatisfy((lost: number) => lost > 0)],
      [false, 0],
    ]);
  },
);

/** More than the receives after which the commands of the finding give a message up. */
const RECEIVES_MAX = 35;

/** How often the service receives a message that it can't read, which returns at once each time. */
async function receivesOf({ endpoint, queue }: QueueScene, messageId: string): Promise<number> {
  const AWS_ENDPOINT_URL = endpoint;
  const { child } = await serveHere({ SECRET: "a-secret-nobody-may-see", AWS_ENDPOINT_URL, QUEUE: queue.url });
  const received = () => child.output.split('"message malformed"').length - 1;
  for (let count = 1; count <= RECEIVES_MAX; count += 1) {
    const isGone = async () => Object.values(await queue.depth()).every((depth) => depth === 0);
    await vi.waitUntil(async () => received() >= count || (await isGone()), { timeout: 60_000, interval: 10 });
    if (received() < count) return received();
    await queue.timeOut([messageId]);
  }
  return RECEIVES_MAX;
}

/** What the queues that the finding's commands have made keep. */
async function keptBodies({ queue }: QueueScene): Promise<readonly (string | undefined)[]> {
  const sqs = new SQSClient({ region: "eu-west-1", credentials: OPERATOR, endpoint: queue.endpoint });
  onTestFinished(() => sqs.destroy());
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: "departures-" }));
  const all = await Promise.all(QueueUrls.map((QueueUrl) => sqs.send(new ReceiveMessageCommand({ QueueUrl }))));
  return all.flatMap(({ Messages = [] }) => Messages.map(({ Body }) => Body));
}

test.each([
  ["without a dead-letter queue", "is received again and again", false, RECEIVES_MAX, []],
  ["with the dead-letter queue of the finding's commands", "is kept there after 30 receives", true, 30, ["no event"]],
])("%s a message that can't be read %s", async (_, __, isMended, received, kept) => {
  const { simulator, env } = await account();
  const scene = { endpoint: env.AWS_ENDPOINT_URL, queue: await realQueue(), simulator };
  const report = await doctor(scene);
  expect(codesOf(report)).toContain("queue-without-dead-letters");
  if (isMended) await mended(scene, report, "queue-without-dead-letters");
  expect(codesOf(await doctor(scene)).includes("queue-without-dead-letters")).toBe(!isMended);
  const messageId = await scene.queue.send("no event");
  expect(await receivesOf(scene, messageId)).toBe(received);
  expect(await keptBodies(scene)).toEqual(kept);
});
