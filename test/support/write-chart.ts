import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { CHART, COPIES, withChartOptions } from "./chart-options.ts";
import { ADDED_RULES, addedRules, LEASE_ROLE, leaseRoleRules, ROLES, roleRules } from "./chart-role.ts";
import { chartSchema } from "./chart-schema.ts";

const VALUES = `${CHART}/values.yaml`;

writeFileSync(VALUES, withChartOptions(readFileSync(VALUES, "utf8")));
writeFileSync(`${CHART}/values.schema.json`, `${JSON.stringify(chartSchema(), null, 2)}\n`);
for (const [flags, file] of ROLES) writeFileSync(file, roleRules(flags));
writeFileSync(LEASE_ROLE, leaseRoleRules());
for (const [file, source] of COPIES) copyFileSync(source, file);
for (const [flag, file] of ADDED_RULES) writeFileSync(file, addedRules(flag));
