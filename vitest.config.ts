import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/build-bundles.ts"],
    setupFiles: ["test/support/no-secret-leaks.ts"],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    // Many tests wait for programs and for time to pass: one worker for each core leaves none idle.
    maxWorkers: "100%",
    // Far more than any test needs: none fails because the machine is busy.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
