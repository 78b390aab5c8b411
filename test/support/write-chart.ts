import { readFileSync, writeFileSync } from "node:fs";
import { CHART, withChartOptions } from "./chart-options.ts";
import { ROLE_RULES, roleRules } from "./chart-role.ts";
import { chartSchema } from "./chart-schema.ts";

const VALUES = `${CHART}/values.yaml`;

writeFileSync(VALUES, withChartOptions(readFileSync(VALUES, "utf8")));
writeFileSync(`${CHART}/values.schema.json`, `${JSON.stringify(chartSchema(), null, 2)}\n`);
writeFileSync(ROLE_RULES, roleRules());
