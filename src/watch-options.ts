import { option } from "./option.ts";
import { httpOrigin, matching, seconds } from "./option-values.ts";

/** What the agent on a node needs to know of its instance's metadata. */
export const WATCH_OPTIONS = {
  metadataEndpoint: option({
    // The AWS SDK's own, which finds the node's credentials there.
    variable: "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    flag: "--metadata-endpoint <url>",
    help: "where instance metadata is; over IPv6 http://[fd00:ec2::254]",
    default: "http://169.254.169.254",
    usedBy: ["watch"],
    parse: httpOrigin,
  }),
  metadataIntervalMs: option({
    variable: "METADATA_INTERVAL",
    flag: "--metadata-interval <seconds>",
    help: "how often instance metadata is read",
    default: 2_000,
    usedBy: ["watch"],
    unit: "seconds",
    parse: seconds(1, 30),
  }),
  terminationHook: option({
    variable: "TERMINATION_HOOK",
    flag: "--termination-hook <name>",
    help: "the only termination hooks to keep waiting and to complete, by name; watch answers none without it, others all that they hear of",
    usedBy: ["serve", "lambda", "watch", "policy"],
    parse: matching(/^[\w/-]{1,255}$/, "the name of a hook: letters, digits, -, _ and /"),
  }),
} as const;
