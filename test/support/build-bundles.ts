import { execFileSync } from "node:child_process";

/** The end-to-end tests run the bundles that users get. */
export default function buildBundles(): void {
  execFileSync(process.execPath, ["build.mjs"], { stdio: "inherit" });
}
