import * as z from "zod";
import { problemText } from "../scenario/problem.ts";
import { shapeAdvice } from "../scenario/shape-advice.ts";

const TAG_KEY = /^aws:ResourceTag\/.+$/;
const NO_VARIABLE = /^([^$]|\$(?!\{))*$/;
const ACTION = /^(\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+)$/;
/** `*`, or the six parts of an ARN, with wildcards inside each. */
const RESOURCE = /^(?!.*\$\{)(\*|arn(:[^:]*){4}:.+)$/;

/** AWS accepts a single value wherever it accepts a list. `what`: the value to give, for errors. */
function oneOrMore(pattern: RegExp, what: string) {
  const item = z.string().regex(pattern, `give ${what}`);
  return z.union([item, z.array(item).min(1)], { error: `give ${what}, or a list of them` });
}

const condition = z.record(z.string().regex(TAG_KEY), oneOrMore(NO_VARIABLE, "a text; variables are not simulated"), {
  error: ({ code }) => (code === "invalid_key" ? "only aws:ResourceTag/… keys are simulated" : undefined),
});

const statement = z.strictObject({
  Sid: z
    .string()
    .regex(/^[a-zA-Z0-9]*$/, "give letters and digits")
    .optional(),
  Effect: z.enum(["Allow", "Deny"]),
  Action: oneOrMore(ACTION, "an action such as elasticloadbalancing:DeregisterTargets"),
  Resource: oneOrMore(RESOURCE, "* or an ARN; variables are not simulated"),
  Condition: z
    .strictObject({ StringEquals: condition.optional(), StringLike: condition.optional() })
    .optional()
    .describe("Only these operators and keys are simulated. Others are errors, and are never ignored."),
});

/** The simulated part of an IAM policy. Other parts are errors. */
export const policyDocument = z.strictObject({
  Version: z.literal("2012-10-17"),
  Id: z.string().optional(),
  Statement: z.array(statement).min(1),
});

export type PolicyDocument = z.infer<typeof policyDocument>;
export type PolicyStatement = z.infer<typeof statement>;

/** Throws an error that lists everything in `document` that is wrong or not simulated, each with its place. */
export function readPolicy(document: unknown): PolicyDocument {
  const { success, data, error } = policyDocument.safeParse(document, { error: shapeAdvice });
  if (success) return data;
  throw new Error(`the policy can't be used:\n  ${error.issues.map(problemText).join("\n  ")}`);
}
