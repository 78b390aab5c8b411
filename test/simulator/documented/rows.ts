import { scalingGroupRows } from "./auto-scaling-groups.ts";
import { hookRows } from "./auto-scaling-hooks.ts";
import { classicRows } from "./classic-instances.ts";
import { classicBalancerRows } from "./classic-load-balancers.ts";
import { instanceRows } from "./ec2-instances.ts";
import { securityGroupRows } from "./ec2-security-groups.ts";
import { statusRows } from "./ec2-status.ts";
import { balancerAttributeRows } from "./elbv2-balancer-attributes.ts";
import { drainingRows } from "./elbv2-draining.ts";
import { groupAttributeRows } from "./elbv2-group-attributes.ts";
import { groupChangeRows } from "./elbv2-group-changes.ts";
import { groupRows } from "./elbv2-groups.ts";
import { listenerRows } from "./elbv2-listeners.ts";
import { balancerRows } from "./elbv2-load-balancers.ts";

import { targetRows } from "./elbv2-targets.ts";
import type { Row } from "./row.ts";

/** All of them. */
export const ROWS: readonly Row[] = [
  ...drainingRows,
  ...targetRows,
  ...groupRows,
  ...groupChangeRows,
  ...groupAttributeRows,
  ...balancerRows,
  ...balancerAttributeRows,
  ...listenerRows,
  ...classicRows,
  ...classicBalancerRows,
  ...instanceRows,
  ...statusRows,
  ...securityGroupRows,
  ...hookRows,
  ...scalingGroupRows,
];
