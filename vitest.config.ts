import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import Order from "./test/support/order.ts";
import { projects } from "./test/support/projects.ts";
import SkippedSuites from "./test/support/skipped-suites.ts";

const { shared, alone } = projects();

export default defineConfig({
  test: {
    globalSetup: ["test/support/build-bundles.ts"],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    // Many tests wait for programs and for time to pass: one worker more than cores leaves none idle.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: Order },
    reporters: ["default", new SkippedSuites()],
    // Far more than any test needs: none fails because the machine is busy.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "shared",
          include: [...shared],
          setupFiles: ["test/support/no-leftovers.ts", "test/support/no-secret-leaks.ts"],
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: "alone", include: [...alone], setupFiles: ["test/support/no-secret-leaks.ts"] },
      },
    ],
  },
});
