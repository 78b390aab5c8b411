import { describe, expect, test } from "vitest";
import type { FindingCode } from "../../src/doctor/finding.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { ALL_CASES } from "../support/cases.ts";
import { disrupt, scaleDown } from "../support/cluster-actors.ts";
import { ClusterScene, reasonsOf } from "../support/cluster-scene.ts";
import { SHORT_SPARES } from "../support/departure-pools.ts";
import { codesOf } from "../support/doctor.ts";
import { runKubectl } from "../support/kubectl.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";

const DEPLOYMENTS = "/apis/apps/v1/deployments";
const NODE_POOLS = "/apis/karpenter.sh/v1/nodepools";
/** How long the NLB of the scene goes on sending, in milliseconds: always, so that no loss depends on chance. */
const SENDS_FOR_MS = 6_000;
const TIMING = { nlbDeregistration: [SENDS_FOR_MS, SENDS_FOR_MS] } as const;
/** Shorter than that. */
const SHORT_SECONDS = 2;

const AUTOSCALER = {
  metadata: { name: "cluster-autoscaler", namespace: "kube-system" },
  spec: {
    template: {
      spec: {
        containers: [
          {
            name: "cluster-autoscaler",
            image: "registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.2",
            command: ["./cluster-autoscaler", `--node-deletion-delay-timeout=${SHORT_SECONDS}s`],
          },
        ],
      },
    },
  },
};
const NODE_POOL = {
  metadata: { name: "default" },
  spec: { template: { spec: { terminationGracePeriod: `${SHORT_SECONDS}s` } } },
};

/** What the program that removes nodes is configured with there, in milliseconds. */
function limitMs({ kubernetes }: ClusterScene, path: string, key: string): number {
  const text = JSON.stringify(kubernetes.stored(path, key));
  const [, seconds] = /(?:node-deletion-delay-timeout=|"terminationGracePeriod":")(\d+)s"/.exec(text) ?? [];
  return Number(seconds) * 1_000;
}

interface Departure {
  readonly code: FindingCode;
  readonly path: string;
  readonly object: object;
  readonly leave: (scene: ClusterScene) => Promise<unknown>;
}

const SCALE_DOWN: Departure = {
  code: "autoscaler-delay-short",
  path: DEPLOYMENTS,
  object: AUTOSCALER,
  leave: async (scene) => {
    const { child } = await scene.serve({ AUTOSCALER_HOLD: "true" });
    await child.line(/"listening"/);
    await scene.untilDelayed();
    const delayLimitMs = limitMs(scene, DEPLOYMENTS, "kube-system/cluster-autoscaler");
    await Promise.all(scene.leaving.map((instance) => scaleDown(instance, scene.actor(), { delayLimitMs })));
  },
};

const DISRUPTION: Departure = {
  code: "karpenter-grace-short",
  path: NODE_POOLS,
  object: NODE_POOL,
  leave: async (scene) => {
    const { url } = await scene.serve();
    const holders = await Promise.all(scene.leaving.map((instance) => scene.hold(instance, url)));
    const graceMs = limitMs(scene, NODE_POOLS, "default");
    await Promise.all(
      scene.leaving.map((instance, index) => disrupt(instance, scene.actor(true), { holder: holders[index], graceMs })),
    );
  },
};

/** Whether doctor finds it, and how many requests are lost by it. `isMended`: once its own commands have been run. */
async function outcome({ code, path, object, leave }: Departure, isMended: boolean) {
  const scene = await ClusterScene.open({ timing: TIMING });
  scene.kubernetes.put(path, object as KubernetesObject);
  const report = await scene.doctor();
  expect(codesOf(report)).toContain(code);
  const lines = report.findings.filter((one) => one.code === code).flatMap(({ mend }) => mend);
  if (isMended) for (const line of lines) runKubectl(line, scene.kubernetes);
  const isFound = isMended ? codesOf(await scene.doctor()).includes(code) : true;
  await leave(scene);
  await scene.untilOff();
  const { losses } = await scene.endTraffic();
  // A busy machine may lose others.
  const { "any other": _, ...reasons } = reasonsOf(losses, scene.leaving);
  const toGoneMachines = Object.values(reasons).reduce((sum, count) => sum + count, 0);
  return { isFound, lost: lostByTheProduct(losses, SHORT_SPARES).length, toGoneMachines };
}

const some = expect.toSatisfy((lost: number) => lost > 0);
const LOST = { isFound: true, lost: some, toGoneMachines: some };

describe("a deletion delay of cluster-autoscaler that is shorter than a hold", () => {
  test("is found, and loses requests", async () => {
    expect(await outcome(SCALE_DOWN, false)).toEqual(LOST);
  });

  test("is not found with the flag of doctor's command, and no request is lost", async () => {
    expect(await outcome(SCALE_DOWN, true)).toMatchObject({ isFound: false, lost: 0 });
  });
});

describe.runIf(ALL_CASES)("a termination grace period of Karpenter that is shorter than a hold", () => {
  test("is found, and loses requests", async () => {
    expect(await outcome(DISRUPTION, false)).toEqual(LOST);
  });

  test("is not found with the period of doctor's command, and no request is lost", async () => {
    expect(await outcome(DISRUPTION, true)).toMatchObject({ isFound: false, lost: 0 });
  });
});
