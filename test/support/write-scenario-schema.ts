import { writeFileSync } from "node:fs";
import { scenarioJsonSchema } from "../../src/simulator/scenario/read-scenario.ts";

writeFileSync("docs/scenarios/schema.json", `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`);
