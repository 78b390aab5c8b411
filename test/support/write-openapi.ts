import { writeFileSync } from "node:fs";
import { apiDocument } from "../../src/web/api-document.ts";

writeFileSync("src/web/openapi.json", `${JSON.stringify(apiDocument(), null, 2)}\n`);
