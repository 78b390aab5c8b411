import { readFileSync, writeFileSync } from "node:fs";
import { withLogLines } from "./log-document.ts";

const DOCUMENT = "docs/log.md";

writeFileSync(DOCUMENT, withLogLines(readFileSync(DOCUMENT, "utf8")));
