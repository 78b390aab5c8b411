import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { KUBECONFIG_ALONE } from "./packaging/kubeconfig-alone.mjs";
import Order from "./test/support/order.ts";
import SkippedSuites from "./test/support/skipped-suites.ts";

const OF_KUBERNETES = /@kubernetes[\\/]client-node[\\/]dist[\\/]\w+\.js$/;

/** As the bundles have the Kubernetes library: whole, each worker would take half a second to load it. */
const kubeconfigAlone = {
  name: "kubeconfig-alone",
  load(path: string) {
    const replaced = KUBECONFIG_ALONE.find(([filter]) => filter.test(path))?.[1];
    if (replaced !== undefined || !OF_KUBERNETES.test(path)) return replaced;
    // The package does not have what its source maps point to.
    return readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, "");
  },
};

export default defineConfig({
  plugins: [kubeconfigAlone],
  test: {
    server: { deps: { inline: [/@kubernetes\/client-node/] } },
    include: ["test/**/*.test.ts"],
    // Files share workers, which have loaded most of what a file imports. So none may leave anything behind.
    isolate: false,
    // As Node has the names of a CommonJS module. Guessing them would go through a proxy at each use.
    deps: { interopDefault: false },
    setupFiles: ["test/support/no-leftovers.ts", "test/support/no-secret-leaks.ts"],
    globalSetup: ["test/support/build-bundles.ts"],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    // All files together wait four times as long for programs and for time to pass as they compute. Six workers more than
    // cores keep two cores busy; each costs three CPU seconds for what it loads.
    maxWorkers: availableParallelism() + 6,
    // Tests make and drop many small objects. A larger young generation is collected less often.
    execArgv: ["--max-semi-space-size=64"],
    sequence: { sequencer: Order },
    reporters: ["default", new SkippedSuites()],
    // Far more than any test needs: none fails because the machine is busy.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
