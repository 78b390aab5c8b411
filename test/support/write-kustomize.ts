import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { KUSTOMIZE, kustomizeFiles } from "./kustomize-files.ts";

/** The one of the conformance suite, or the machine's own. */
const { CONFORMANCE_KUBERNETES: folder } = process.env;
const program = folder === undefined ? "helm" : join(folder, "helm");

const files = await kustomizeFiles(async (args) => execFileSync(program, args, { encoding: "utf8" }));
for (const [name, text] of Object.entries(files)) writeFileSync(join(KUSTOMIZE, name), text);
