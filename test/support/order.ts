import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that wait for real time or for programs more than they compute, roughly the longest first; those that carry traffic
 * are spread among the others, because they need the machine in time. They start first, so that what only computes runs
 * beside them. A file that is not here, or that has changed, is no fault: it starts later.
 */
export const WAIT_LONGEST = [
  "test/conformance/kubernetes/beside.test.ts",
  "test/e2e/leader.test.ts",
  "test/e2e/rolling-drain.test.ts",
  "test/e2e/cluster-departures.test.ts",
  "test/conformance/kubernetes/lifecycle-manager.test.ts",
  "test/docs-commands.test.ts",
  "test/e2e/spot-fast-path.test.ts",
  "test/conformance/ansible.test.ts",
  "test/ledger/lost-entries.test.ts",
  "test/e2e/spot-reclaim.test.ts",
  "test/e2e/crash-matrix.test.ts",
  "test/fuzz/scenarios.test.ts",
  "test/e2e/queue.test.ts",
  "test/bench/messages.test.ts",
  "test/conformance/dashboard.test.ts",
  "test/conformance/cloudformation.test.ts",
  "test/e2e/places-traffic.test.ts",
  "test/e2e/doctor-departures.test.ts",
  "test/e2e/doctor-controllers.test.ts",
  "test/conformance/kubernetes/replicas.test.ts",
  "test/conformance/kubernetes/chart-releases.test.ts",
  "test/conformance/kubernetes/karpenter.test.ts",
  "test/model/second-half.test.ts",
  "test/e2e/watch.test.ts",
  "test/e2e/flows.test.ts",
  "test/e2e/service.test.ts",
  "test/e2e/rolling-replacement.test.ts",
  "test/e2e/early-release-agent.test.ts",
  "test/e2e/early-release.test.ts",
  "test/demo/demo.test.ts",
  "test/e2e/restart.test.ts",
  "test/e2e/instance-refresh.test.ts",
  "test/packaging/dockerfile.test.ts",
  "test/cli/cli.test.ts",
  "test/e2e/fail-over.test.ts",
  "test/e2e/unsaved.test.ts",
  "test/e2e/scale-in.test.ts",
  "test/e2e/replicas.test.ts",
  "test/e2e/traces.test.ts",
  "test/cli/cancel.test.ts",
  "test/conformance/prometheus.test.ts",
  "test/aws/stalled-body.test.ts",
];

/** In which order test files start. */
export default class Order extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root, maxWorkers } = this.ctx.config;
    const place = ({ moduleId }: TestSpecification) =>
      WAIT_LONGEST.indexOf(relative(root, moduleId).replaceAll("\\", "/"));
    const waiting = files.filter((file) => place(file) !== -1).sort((a, b) => place(a) - place(b));
    const computing = files.filter((file) => place(file) === -1);
    return spread(waiting, computing, Math.max(1, maxWorkers - 1));
  }
}

/** So many of those that wait come first, and the others evenly among the first half of those that compute. */
export function spread<File>(waiting: readonly File[], computing: readonly File[], first: number): File[] {
  const later = waiting.slice(first);
  const every = Math.max(1, Math.floor(computing.length / 2 / Math.max(1, later.length)));
  const mixed = computing.flatMap((file, index) => {
    const next = (index + 1) % every === 0 ? later.shift() : undefined;
    return next === undefined ? [file] : [file, next];
  });
  return [...waiting.slice(0, first), ...mixed, ...later];
}
