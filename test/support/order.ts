import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that wait for real time more than they compute, the longest first, by what they took alone. They start first,
 * so that what only computes runs beside them. A file that is not here, or that has changed, is no fault: it starts later.
 */
export const WAIT_LONGEST = [
  "test/demo/demo.test.ts",
  "test/e2e/crash-matrix.test.ts",
  "test/e2e/spot-reclaim.test.ts",
  "test/e2e/rolling-replacement.test.ts",
  "test/e2e/replicas.test.ts",
  "test/e2e/service.test.ts",
  "test/cli/cancel.test.ts",
  "test/e2e/queue.test.ts",
  "test/e2e/watch.test.ts",
  "test/docs-commands.test.ts",
];

/** In which order test files start. */
export default class Order extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root, maxWorkers } = this.ctx.config;
    const place = ({ moduleId }: TestSpecification) =>
      WAIT_LONGEST.indexOf(relative(root, moduleId).replaceAll("\\", "/"));
    const waiting = files.filter((file) => place(file) !== -1).sort((a, b) => place(a) - place(b));
    const [inside, programs] = ["inside", "programs"].map((project) =>
      files.filter((file) => place(file) === -1 && file.project.name === project),
    );
    // One worker goes through what only computes: its files follow each other, for a worker is shared by neighbours alone.
    const beside = Math.max(1, maxWorkers - 1);
    return [...waiting.slice(0, beside), ...(inside ?? []), ...waiting.slice(beside), ...(programs ?? [])];
  }
}
