import { targetRows } from "./elbv2-targets.ts";
import type { Row } from "./row.ts";

/** All of them. */
export const ROWS: readonly Row[] = [...targetRows];
