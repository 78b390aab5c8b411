import { AGENT_OPTION_TEXTS } from "./agent-option-texts.ts";
import { CLUSTER_OPTION_TEXTS } from "./cluster-option-texts.ts";
import type { OptionName } from "./options.ts";
import { TRACING_OPTION_TEXTS } from "./tracing-option-texts.ts";
import type { OptionText } from "./values.ts";

/** Separate from the table of options, so that the Lambda function does not contain them. */
export const OPTION_TEXTS: Readonly<Record<OptionName, OptionText>> = {
  secret: {
    description: "Secret that callers of the HTTP API must send. With --server: the secret of that service.",
    example: "a-long-api-key-of-yours",
    changeWhen: "Set it, or SECRET_FILE, for every service. Generate it with 'openssl rand -hex 16'.",
  },
  secretFile: {
    description:
      "File of secrets, one per line, instead of SECRET. The service accepts each of them and rereads the file; a client sends the first.",
    example: "/etc/hasta-la-vista/secrets",
    changeWhen: "Set it to rotate the secret without a restart.",
  },
  tokenFile: {
    description:
      "With --server: file of a Kubernetes token to send instead of the secret, read again before each request. The service must run with TOKEN_REVIEW.",
    example: "/var/run/secrets/hasta-la-vista/token",
    changeWhen: "Set it in a pod to a projected token with the audience TOKEN_AUDIENCE of the service.",
  },
  querySecret: {
    description:
      "Whether the service also accepts the secret as the query parameter pw. With false it accepts the Authorization header only.",
    example: "false",
    changeWhen: "Set it to false when every caller sends the header, because proxies log query strings.",
  },
  tlsCertFile: {
    description:
      "PEM file of the certificate and its chain. The service then speaks HTTPS. With --server: the client's own certificate.",
    example: "/etc/hasta-la-vista/tls.crt",
    changeWhen: "Set it when callers reach the service without a proxy that terminates TLS.",
  },
  tlsKeyFile: {
    description: "PEM file of the private key that belongs to TLS_CERT_FILE, without a passphrase.",
    example: "/etc/hasta-la-vista/tls.key",
    changeWhen: "Set it together with TLS_CERT_FILE.",
  },
  tlsClientCaFile: {
    description:
      "PEM file of certificate authorities. A caller must then present a certificate that one of them has issued, and the secret.",
    example: "/etc/hasta-la-vista/clients-ca.crt",
    changeWhen: "Set it to require client certificates (mutual TLS).",
  },
  cloudProvider: {
    description: "Cloud that the nodes run in.",
    example: "aws",
    changeWhen: "Always set it to aws for the service.",
  },
  region: {
    description: "AWS region of the nodes and their load balancers.",
    example: "eu-west-1",
    changeWhen: "Set it when the AWS SDK finds no region, or another region than that of the nodes.",
  },
  clusterName: {
    description:
      "Name of the Kubernetes cluster, as in the tag kubernetes.io/cluster/<name>. Nodes of other clusters are refused.",
    example: "production",
    changeWhen: "Set it when an account or VPC has more than one cluster.",
  },
  awsPlaces: {
    description:
      "Accounts and regions whose nodes and load balancers the program looks after, separated by spaces, in the shorthand syntax of the AWS CLI. With RoleArn the program assumes that role for the place, with ExternalId and RoleSessionName (default hasta-la-vista) if given. Without RoleArn it uses its own credentials. The list is complete: name the own region too. Each place has its own request quota and its own index.",
    example: "Region=eu-west-1 Region=eu-west-1,RoleArn=arn:aws:iam::444455556666:role/drainer,ExternalId=blue",
    changeWhen:
      "Set it when load balancers are in another account than their nodes, or when one service drains nodes of several accounts or regions.",
  },
  ...CLUSTER_OPTION_TEXTS,
  vpcId: {
    description: "VPC of the nodes. Nodes of other VPCs are refused.",
    example: "vpc-0123456789abcdef0",
    changeWhen: "Set it when nodes of several VPCs share names or IP addresses.",
  },
  discovery: {
    description:
      "Load balancers from which a node is deregistered. vpc: all in the VPCs of the node, and those in other VPCs that OTHER_VPCS includes. tag: those that carry the tag of the cluster.",
    example: "tag",
    changeWhen: "Set it to tag when nodes must stay in load balancers that do not belong to the cluster.",
  },
  otherVpcs: {
    description:
      "Whether target groups of type ip in other VPCs are searched for addresses of the node (VPC peering, transit gateways). search or ignore.",
    example: "ignore",
    changeWhen:
      "Set it to ignore when VPCs of the account have overlapping address ranges and no load balancer has targets in another VPC.",
  },
  policyScope: {
    description:
      "What the IAM policy allows to deregister from. vpc: every target group and classic load balancer. tag: those that carry the tag of the cluster.",
    example: "tag",
    changeWhen: "Set it to tag when the role has the policy that 'policy --scope tag' prints.",
  },
  httpsProxy: {
    description:
      "URL of the HTTP proxy for all calls to AWS, with its user and password if it needs them. Instance metadata is never read through it.",
    example: "http://proxy.example.com:3128",
    changeWhen: "Set it in a subnet that reaches AWS through a proxy only.",
  },
  noProxy: {
    description:
      "Hosts that are called without HTTPS_PROXY, separated by commas: names, domains such as .example.com, addresses, or *.",
    example: ".vpce.amazonaws.com",
    changeWhen: "Set it when some services have interface endpoints in the VPC.",
  },
  sqsEndpoint: {
    description: "Endpoint for calls to SQS, as the AWS SDK has it. It takes precedence over the host in QUEUE.",
    example: "http://127.0.0.1:9324",
    changeWhen: "Set it for an interface endpoint of SQS without private DNS, or for an emulator.",
  },
  undo: {
    description:
      "Whether drains can be cancelled. Cancelling registers the node again where its drain has deregistered it. Requires the permissions of 'policy --undo'.",
    example: "true",
    changeWhen:
      "Set it to true to use DELETE /drains/<id>, the commands cancel and uncordon with --server, or REBALANCE=drain.",
  },
  timeoutMs: {
    description: "Maximum duration of a drain, counted from each request for it.",
    example: "600",
    changeWhen: "Leave it unset, except when a caller must not wait longer. Traffic may be lost if it is too short.",
  },
  deadlineMarginMs: {
    description:
      "Time between the end of a drain and its deadline, to complete hooks and answer callers. At most half of the notice is used.",
    example: "5",
    changeWhen: "Raise it when lifecycle hooks are completed too late. Lower it when the notice is short.",
  },
  albPropagationMs: {
    description: "Minimum hold for an Application Load Balancer, which may send new requests until then.",
    example: "45",
    changeWhen: "Raise it when requests are lost at the end of a hold that is longer than the deregistration delay.",
  },
  nlbPropagationMs: {
    description: "Minimum hold for a Network Load Balancer, which may open new connections until then.",
    example: "240",
    changeWhen:
      "Raise it when connections are refused after a drain. Lower it only if lost connections are acceptable.",
  },
  gwlbIdleMs: {
    description:
      "How long a Gateway Load Balancer keeps an idle flow on a deregistered target. Used only where the idle timeout of its listener cannot be read.",
    example: "350",
    changeWhen:
      "Set it to the longest tcp.idle_timeout.seconds of the listeners, or allow elasticloadbalancing:DescribeListeners and DescribeListenerAttributes.",
  },
  gwlbFailoverMs: {
    description:
      "How long after the deregistration delay a Gateway Load Balancer with target failover (rebalance) may still send existing flows to a deregistered target.",
    example: "120",
    changeWhen: "Raise it when flows are interrupted after a drain, although target failover is on.",
  },
  classicMinimumMs: {
    description: "Minimum hold for a classic load balancer.",
    example: "20",
    changeWhen: "Raise it when requests are lost right after deregistration.",
  },
  earlyRelease: {
    description:
      "Whether the hold of an Application Load Balancer may end before its deregistration delay, once the agent on the node has seen that no connection to the registered port is left. Set it for the service and for the agents. See docs/early-release.md for what agents can and can't see.",
    example: "true",
    changeWhen: "Set it to true when nodes wait for long deregistration delays although their traffic has ended.",
  },
  earlyReleaseSettleMs: {
    description:
      "Time for which there must be no connection to the registered port, after ALB_PROPAGATION, before a hold ends early.",
    example: "30",
    changeWhen: "Set it higher when clients of the load balancer connect rarely and you want more certainty.",
  },
  minHealthy: {
    description:
      "Minimum number or percentage of healthy targets that must remain in each target group or classic load balancer. 0 disables this check and MAX_VOLUNTARY.",
    example: "20%",
    changeWhen: "Raise it when one healthy target can't carry the traffic.",
  },
  guardWaitMs: {
    description:
      "Maximum time to wait for a healthy replacement before a terminating node is deregistered from a target group that would have too few healthy targets.",
    example: "180",
    changeWhen: "Raise it when new nodes take longer than this to become healthy.",
  },
  maxVoluntary: {
    description:
      "Maximum number, or percentage of nodes, of voluntary drains that may run at the same time. Further requests are refused with 409. 100% disables the limit.",
    example: "5",
    changeWhen: "Lower it to replace nodes more slowly. Raise it when many nodes are replaced at once on purpose.",
  },
  quotaShare: {
    description: "Share of the default AWS request quotas that this process uses.",
    example: "0.5",
    changeWhen:
      "Lower it when the controllers of the cluster are throttled. Set it above 1 after AWS has raised the quotas of the account.",
  },
  indexPerSecond: {
    description:
      "AWS calls per second for a background index of registrations, which makes the start of a drain faster. 0 disables the index; each drain then searches first.",
    example: "0.5",
    changeWhen: "Lower it when other programs need the request quota of the account.",
  },
  dryRun: {
    description: "Answer each request with the plan of its drain, and change nothing.",
    example: "true",
    changeWhen: "Set it to try an installation without taking nodes out.",
  },
  logLevel: {
    description: "Lowest level of log lines that are written.",
    example: "debug",
    changeWhen: "Set it to debug to see heartbeats and health checks, or to warn to see problems only.",
  },
  ...TRACING_OPTION_TEXTS,
  port: {
    description: "TCP port that the service listens on. 0 selects a free port.",
    example: "8443",
    changeWhen: "Change it when the port is in use.",
  },
  host: {
    description: "Address that the service listens on.",
    example: "127.0.0.1",
    changeWhen: "Set it to 127.0.0.1 when only callers on the same machine may connect.",
  },
  stateDir: {
    description: "Directory for the drain ledger, from which the service resumes unfinished drains after a restart.",
    example: "/var/lib/hasta-la-vista",
    changeWhen:
      "Set it to a persistent volume wherever the service may be restarted during a drain. With LEASE, a directory of the pod is enough.",
  },
  notificationsFile: {
    description:
      "YAML file with the receivers of notifications about drains: webhooks, Slack, and Alertmanager. The service reads it when it starts.",
    example: "/etc/hasta-la-vista/notifications.yaml",
    changeWhen: "Set it when people must learn of drains that fail, are refused, or make no progress.",
  },
  queue: {
    description:
      "SQS queue with events about terminating instances. The service drains their nodes and completes their lifecycle hooks.",
    example: "departures",
    changeWhen: "Set it to react to spot interruptions, scale-in and maintenance by itself.",
  },
  queueForeign: {
    description:
      "What happens to messages about nodes of other clusters. release: return them to the queue for other readers. delete: delete them.",
    example: "delete",
    changeWhen: "Set it to delete when no other service reads the queue.",
  },
  queueInFlightMax: {
    description: "Maximum number of messages that are processed at the same time. Further messages wait in the queue.",
    example: "200",
    changeWhen: "Lower it to bound memory. Raise it when more nodes than this may terminate at once.",
  },
  rebalance: {
    description:
      "What happens on an EC2 rebalance recommendation. ignore: nothing. drain: drain the node early; it is registered again if no interruption follows. Requires UNDO.",
    example: "drain",
    changeWhen: "Set it to drain when two minutes of spot notice are too short for the holds.",
  },
  rebalanceUndoMs: {
    description:
      "Time to wait for an interruption after a rebalance recommendation, before the drained node is registered again.",
    example: "3600",
    changeWhen: "Raise it when interruptions usually follow later than this.",
  },
  returningNodes: {
    description:
      "What happens to a node that returns to its Auto Scaling group with a new root volume. register: register it again where its drain has deregistered it. leave: leave that to its controllers.",
    example: "leave",
    changeWhen: "Set it to leave when controllers register every node, or without the permissions of 'policy --undo'.",
  },
  shutdownGraceMs: {
    description: "Time that running drains may continue after SIGTERM. A second SIGTERM ends them at once.",
    example: "300",
    changeWhen: "Raise it together with terminationGracePeriodSeconds of the pod, which must be longer.",
  },
  ...AGENT_OPTION_TEXTS,
  maintenanceLeadMs: {
    description:
      "Time before the start of scheduled maintenance at which the drain of its node begins. An earlier event waits in the queue.",
    example: "7200",
    changeWhen: "Raise it when drains take longer than an hour. Lower it to keep nodes in service longer.",
  },
  terminationHook: {
    description:
      "Name of the Auto Scaling lifecycle hook to manage. If unset, serve and the Lambda function manage every termination hook that they receive; watch manages none.",
    example: "drain-before-termination",
    changeWhen: "Set it for watch, or when another program completes the other hooks of the group.",
  },
  hookGroups: {
    description:
      "Names of the Auto Scaling groups whose lifecycle hooks the printed policy allows to complete, with commas between them. * and ? stand for other characters. If unset, the policy allows it for every group of the account.",
    example: "workers-*,ingress",
    changeWhen: "Set it when the account has groups of other clusters or programs.",
  },
};
