import { readFileSync, writeFileSync } from "node:fs";
import { withOptionsTable } from "./options-table.ts";

const DOCUMENT = "docs/configuration.md";

writeFileSync(DOCUMENT, withOptionsTable(readFileSync(DOCUMENT, "utf8")));
