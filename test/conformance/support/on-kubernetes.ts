import { afterAll, beforeAll, describe } from "vitest";
import { KubernetesCluster } from "./kubernetes-cluster.ts";
import { CONTROL_PLANE, type KubernetesProgram, missingOf } from "./kubernetes-programs.ts";

const IS_REQUIRED = process.env["CONFORMANCE"] === "required";

/**
 * Tests that share one real API server, and need these programs besides. Where one of them is missing they are skipped,
 * which the run says at its end, unless CONFORMANCE=required: then they fail. `cluster` returns the cluster within tests
 * and hooks.
 */
export function describeOnKubernetes(
  name: string,
  others: readonly KubernetesProgram[],
  tests: (cluster: () => KubernetesCluster) => void,
): void {
  const missing = missingOf([...CONTROL_PLANE, ...others]);
  describe.skipIf(missing !== undefined && !IS_REQUIRED)(name, () => {
    let cluster: KubernetesCluster | undefined;
    beforeAll(async () => {
      if (missing !== undefined) throw new Error(`CONFORMANCE=required, but ${missing}`);
      cluster = await KubernetesCluster.start();
    });
    afterAll(() => cluster?.stop());
    tests(() => {
      if (cluster === undefined) throw new Error("The cluster runs only within tests and hooks.");
      return cluster;
    });
  });
}
