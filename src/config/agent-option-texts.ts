import type { AGENT_OPTIONS } from "./agent-options.ts";
import type { OptionText } from "./values.ts";

/** The texts of the options of the agent on a node. */
export const AGENT_OPTION_TEXTS: Readonly<Record<keyof typeof AGENT_OPTIONS, OptionText>> = {
  metadataEndpoint: {
    description: "URL of the EC2 instance metadata service.",
    example: "http://[fd00:ec2::254]",
    changeWhen: "Set it when the instance offers metadata over IPv6 only, or to test against the simulator.",
  },
  metadataEndpointMode: {
    description:
      "Address family of the EC2 instance metadata service, as the AWS SDK has it: ipv4 (http://169.254.169.254) or ipv6 (http://[fd00:ec2::254]). AWS_EC2_METADATA_SERVICE_ENDPOINT takes precedence.",
    example: "ipv6",
    changeWhen: "Set it to ipv6 when the instance offers metadata over IPv6 only.",
  },
  metadataIntervalMs: {
    description: "Time between two reads of instance metadata.",
    example: "5",
    changeWhen: "Raise it when other programs on the node are throttled by the metadata service.",
  },
  metricsPort: {
    description:
      "TCP port on which the agent serves its metrics (/metrics) and /health, without a secret. 0 selects a free port. If unset, the agent listens on no port.",
    example: "9464",
    changeWhen: "Set it to scrape the agents with Prometheus.",
  },
  metricsHost: {
    description: "Address that the agent listens on with METRICS_PORT.",
    example: "0.0.0.0",
    changeWhen: "Set it to the address of the node when Prometheus runs on another machine.",
  },
};
