import { writeFileSync } from "node:fs";
import { DASHBOARD, dashboardText } from "./grafana-dashboard.ts";

writeFileSync(DASHBOARD, dashboardText());
