import { refused } from "./comparison.ts";
import {
  DRAINING,
  deregister,
  FLOWS_IN_SERVICE,
  health,
  healths,
  IN_SERVICE,
  inState,
  NODE,
  NOT_REGISTERED,
  register,
} from "./elbv2-calls.ts";
import { ALB_GUIDE, NLB_GUIDE } from "./pages.ts";
import { differs, elbv2, later, type Row } from "./row.ts";

const STATES = `${ALB_GUIDE}/target-group-health-checks.html`;
const DELAY = `${ALB_GUIDE}/edit-target-group-attributes.html`;

const delay = (TargetGroupArn: string, seconds: number) =>
  elbv2("ModifyTargetGroupAttributes", {
    TargetGroupArn,
    Attributes: [{ Key: "deregistration_delay.timeout_seconds", Value: String(seconds) }],
  });

/** Registering and deregistering targets, and what is said of their health. */
export const drainingRows: readonly Row[] = [
  {
    says: "a deregistered target drains",
    page: DELAY,
    given: [...IN_SERVICE, deregister("{web}", NODE)],
    call: health("{web}"),
    answers: healths({ Target: { Id: "{node}", Port: 30080 }, TargetHealth: DRAINING }),
    moto: differs("other value", { TargetHealthDescriptions: [] }),
  },
  {
    says: "a target drains for the whole delay, which is 300 seconds by default, though it is idle",
    page: DELAY,
    given: [...IN_SERVICE, deregister("{web}", NODE), later(299)],
    call: health("{web}", NODE),
    answers: healths({ TargetHealth: DRAINING }),
    moto: differs("timeless", {
      TargetHealthDescriptions: [
        {
          TargetHealth: {
            State: "unused",
            Reason: "Target.NotRegistered",
            Description: "Target is not registered to the target group",
          },
        },
      ],
    }),
  },
  {
    says: "a drained target is listed no more",
    page: DELAY,
    given: [...IN_SERVICE, deregister("{web}", NODE), later(300)],
    call: health("{web}"),
    answers: healths(),
  },
  {
    says: "a drained target that is named is unused",
    page: STATES,
    given: [...IN_SERVICE, deregister("{web}", NODE), later(300)],
    call: health("{web}", NODE),
    answers: healths({ Target: { Id: "{node}", Port: 30080 }, TargetHealth: NOT_REGISTERED }),
  },
  {
    says: "a delay of 0 seconds ends draining at once",
    page: DELAY,
    given: [...IN_SERVICE, delay("{web}", 0), deregister("{web}", NODE)],
    call: health("{web}", NODE),
    answers: healths({ TargetHealth: NOT_REGISTERED }),
  },
  {
    says: "a longer delay lets targets drain for longer",
    page: DELAY,
    given: [...IN_SERVICE, delay("{web}", 3_600), deregister("{web}", NODE), later(3_599)],
    call: health("{web}"),
    answers: inState("draining"),
    moto: differs("refuses", refused("ValidationError")),
  },
  {
    says: "a target of an NLB drains too",
    page: `${NLB_GUIDE}/edit-target-group-attributes.html`,
    given: [...FLOWS_IN_SERVICE, deregister("{flows}", NODE)],
    call: health("{flows}"),
    answers: healths({ TargetHealth: DRAINING }),
    moto: differs("other value", { TargetHealthDescriptions: [] }),
  },
  {
    says: "a target that is registered again while it drains starts anew",
    page: `${ALB_GUIDE}/target-group-register-targets.html`,
    given: [...IN_SERVICE, deregister("{web}", NODE), later(10), register("{web}", NODE), later(60)],
    call: health("{web}"),
    answers: inState("healthy"),
  },
];
