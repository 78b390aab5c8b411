import { readFileSync, writeFileSync } from "node:fs";
import { withOptionsTable } from "./options-table.ts";

writeFileSync("README.md", withOptionsTable(readFileSync("README.md", "utf8")));
