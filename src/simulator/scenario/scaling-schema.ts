import * as z from "zod";
import { reference, seconds, tags, wholeNumber } from "./values.ts";

/** The schema of Auto Scaling groups. */

const lifecycleHook = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_/-]{1,255}$/, "give letters, digits, hyphens, underscores and slashes"),
  transition: z
    .enum(["launching", "terminating"])
    .optional()
    .describe("Default: terminating. Launching hooks are only described."),
  heartbeatTimeoutSeconds: wholeNumber(30, 7_200).optional().describe("Default: 3600."),
  defaultResult: z
    .enum(["CONTINUE", "ABANDON"])
    .optional()
    .describe("Result if the hook is not completed in time. Default: ABANDON."),
  notificationMetadata: z
    .string()
    .min(1)
    .max(4_000)
    .optional()
    .describe("Passed on to the receivers of the hook's notification."),
});

const size = wholeNumber(0, 10_000);

export const autoScalingGroup = z
  .strictObject({
    name: z.string().regex(/^[!-9;-~]{1,255}$/, "give 1 to 255 printable characters without colons and blanks"),
    instances: z.array(reference).optional(),
    targetGroups: z
      .array(reference)
      .optional()
      .describe("The group's own target groups. It registers and deregisters its instances itself."),
    classicLoadBalancers: z
      .array(reference)
      .optional()
      .describe("The group's own classic load balancers, in the same way."),
    minSize: size.optional().describe("Default: 0."),
    maxSize: size.optional().describe("Default: the desired capacity."),
    desiredCapacity: size.optional().describe("Default: the number of its instances."),
    launchSeconds: seconds(0)
      .optional()
      .describe(
        "Seconds from the loss of an instance until its replacement is launched. Default: the group launches nothing.",
      ),
    hooks: z.array(lifecycleHook).max(50).optional(),
    terminateHookAbandon: z
      .enum(["terminate", "retain"])
      .optional()
      .describe("Whether an instance is kept when a terminating hook ends with ABANDON. Default: terminate."),
    tags: tags.optional(),
  })
  .describe("A launched instance is like the lost one. It is registered only with the group's own pools.");
