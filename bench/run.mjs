// npm run bench: bundles the bench and runs it, so that no loader of TypeScript counts into the service's memory.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

const outdir = mkdtempSync(join(tmpdir(), "hasta-la-vista-bench-"));
try {
  await build({
    // What runs in a process of its own is looked for beside the bench.
    entryPoints: {
      main: "bench/main.ts",
      "simulator-process": "bench/process/simulator-process.ts",
      "region-process": "bench/messages/region-process.ts",
      "queue-process": "bench/messages/queue-process.ts",
      "bare-loop": "bench/messages/bare-loop.ts",
    },
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    mainFields: ["module", "main"],
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
  // Measured as users get it.
  if (process.argv.includes("--messages")) execFileSync(process.execPath, ["build.mjs"], { stdio: "inherit" });
  const program = ["--expose-gc", join(outdir, "main.mjs"), ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, program, { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(outdir, { recursive: true });
}
