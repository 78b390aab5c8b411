import { httpOrigin, oneOf, option, seconds, text, wholeNumber } from "./values.ts";

/** The options that only the agent on a node has. */
export const AGENT_OPTIONS = {
  metadataEndpoint: option({
    // The AWS SDK reads the same variable to find the credentials of the node.
    variable: "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    flag: "--metadata-endpoint <url>",
    defaultText: "the address that AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE names",
    usedBy: ["watch"],
    ...httpOrigin,
  }),
  metadataEndpointMode: option({
    // The AWS SDK's own too.
    variable: "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    flag: "--metadata-endpoint-mode <mode>",
    default: "ipv4",
    usedBy: ["watch"],
    ...oneOf(["ipv4", "ipv6"]),
  }),
  metadataIntervalMs: option({
    variable: "METADATA_INTERVAL",
    flag: "--metadata-interval <seconds>",
    default: 2_000,
    usedBy: ["watch"],
    ...seconds(1, 30),
  }),
  metricsPort: option({
    variable: "METRICS_PORT",
    flag: "--metrics-port <port>",
    defaultText: "the agent does not listen",
    usedBy: ["watch"],
    ...wholeNumber(0, 65_535),
  }),
  metricsHost: option({
    variable: "METRICS_HOST",
    flag: "--metrics-host <address>",
    default: "127.0.0.1",
    usedBy: ["watch"],
    ...text(253),
  }),
} as const;
