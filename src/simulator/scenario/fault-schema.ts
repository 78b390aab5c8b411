import * as z from "zod";
import { isAwsAction } from "../api/action-names.ts";
import { API_NAMES, type ApiName, simulatedActions } from "../api/answer.ts";
import type { Fault } from "../faults/fault.ts";
import { nearest } from "./nearest.ts";
import { bucket, ms, wholeNumber } from "./values.ts";

/** The schema of faults and quotas, in a scenario and in the control API. */

export const fault = z
  .strictObject({
    api: z.enum(API_NAMES).optional().describe("Default: all of them."),
    action: z.string().min(1).optional().describe("Such as DescribeTargetHealth. Default: every action."),
    when: z
      .strictObject({
        first: wholeNumber(1, 1_000_000).optional(),
        every: wholeNumber(1, 1_000_000).optional(),
        probability: z.number().min(0).max(1).optional(),
        seed: z.int().optional().describe("For the probability. Default: the region's seed."),
      })
      .refine(
        ({ first, every, probability }) =>
          [first, every, probability].filter((given) => given !== undefined).length === 1,
        "give exactly one of first, every, probability",
      )
      .optional()
      .describe("Which of these calls it affects. Default: all of them."),
    effect: z.discriminatedUnion("type", [
      z.strictObject({
        type: z.literal("error"),
        code: z.string().min(1),
        status: wholeNumber(400, 599).optional().describe("Default: 400."),
        message: z.string().optional(),
      }),
      z.strictObject({ type: z.enum(["latency", "stale"]), ms }),
      z.strictObject({ type: z.enum(["refused", "reset", "hang", "malformed", "empty"]) }),
    ]),
  })
  .superRefine(({ api, action }, context) => {
    const apis = api === undefined ? API_NAMES : [api];
    if (action === undefined || apis.some((each) => isAwsAction(each, action))) return;
    context.addIssue({ code: "custom", path: ["action"], message: unknownAction(action, api) });
  });

/** An error, because a fault for such an action would never affect a call. */
function unknownAction(action: string, api: ApiName | undefined): string {
  const simulated = simulatedActions();
  const guess = nearest(
    action,
    (api === undefined ? API_NAMES : [api]).flatMap((each) => simulated[each] ?? []),
  );
  const advice =
    guess === undefined ? "GET /_simulator/actions lists those that are simulated" : `did you mean ${guess}?`;
  return `'${action}' is not an action of ${api ?? "AWS"}: ${advice}`;
}

export const quotas = z
  .strictObject({
    code: z.enum(["Throttling", "ThrottlingException"]).optional(),
    nonMutating: bucket.optional(),
    registration: bucket.optional(),
    mutating: bucket.optional(),
    resourceIntensive: bucket.optional(),
    account: bucket.optional(),
    ec2NonMutating: bucket.optional(),
    ec2Unfiltered: bucket.optional(),
    ec2Mutating: bucket.optional(),
    ec2Terminate: bucket.optional(),
    autoScalingNonMutating: bucket.optional(),
    autoScalingMutating: bucket.optional(),
  })
  .describe("Request quotas. Without this object there are none. `{}`: the quotas that AWS documents.");

/** `seed`: for a probability without a seed of its own. */
export function faultOf({ when, ...rest }: z.infer<typeof fault>, seed: number): Fault {
  return { ...rest, ...rhythm(when, seed) } as Fault;
}

function rhythm(when: z.infer<typeof fault>["when"], seed: number): Pick<Fault, "when"> {
  if (when?.first !== undefined) return { when: { first: when.first } };
  if (when?.every !== undefined) return { when: { every: when.every } };
  if (when?.probability !== undefined) return { when: { probability: when.probability, seed: when.seed ?? seed } };
  return {};
}
