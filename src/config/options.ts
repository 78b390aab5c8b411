import { awsPlaces, PLACES_RANGE } from "../aws/places.ts";
import { queueAddress } from "../aws/queue-address.ts";
import { AGENT_OPTIONS } from "./agent-options.ts";
import { CALLER_OPTIONS } from "./caller-options.ts";
import { CLUSTER_OPTIONS } from "./cluster-options.ts";
import { TRACING_OPTIONS } from "./tracing-options.ts";
import {
  flag,
  GROUP_NAMES,
  matching,
  number,
  oneOf,
  option,
  PATH_LENGTH_MAX,
  proxyUrl,
  seconds,
  share,
  text,
  type Verb,
  wholeNumber,
} from "./values.ts";

const ALL: readonly Verb[] = ["serve", "drain", "plan", "status", "cancel", "uncordon", "watch", "doctor"];
/** The commands that call AWS. */
const CLOUD: readonly Verb[] = [...ALL, "lambda"];
const CLOUD_AND_POLICY: readonly Verb[] = [...CLOUD, "policy"];
/** The commands that select pools. */
const DISCOVERING: readonly Verb[] = ["serve", "drain", "plan", "status", "lambda", "watch", "policy"];
/** The commands that hold nodes. */
const HOLDING: readonly Verb[] = ["serve", "drain", "plan", "lambda", "watch"];
const DAY_SECONDS = 86_400;

/** All options. An empty variable counts as unset. Their texts are in option-texts.ts. */
export const OPTIONS = {
  ...CALLER_OPTIONS,
  cloudProvider: option({
    variable: "CLOUDPROVIDER",
    flag: "--cloud-provider <name>",
    usedBy: ["serve"],
    requiredBy: ["serve"],
    ...oneOf(["aws"]),
  }),
  region: option({
    variable: "AWS_REGION",
    flag: "--region <region>",
    defaultText: "the region that the AWS SDK finds",
    usedBy: CLOUD_AND_POLICY,
    ...matching(/^[a-z]{2,}(-[a-z]+)+-\d+$/, "a region such as eu-west-1"),
  }),
  awsPlaces: option({
    variable: "AWS_PLACES",
    flag: "--aws-places <list>",
    defaultText: "AWS_REGION alone",
    usedBy: [...ALL, "policy"],
    type: "text",
    range: PLACES_RANGE,
    parse: awsPlaces,
    // It is not a secret on AWS, but other programs need not know it.
    printableAs: (given) => given.replace(/ExternalId=\S*/g, "ExternalId=…"),
  }),
  clusterName: option({
    variable: "CLUSTERNAME",
    flag: "--cluster-name <name>",
    usedBy: CLOUD_AND_POLICY,
    ...text(256),
  }),
  ...CLUSTER_OPTIONS,
  vpcId: option({
    variable: "VPCID",
    flag: "--vpc-id <id>",
    usedBy: CLOUD,
    ...matching(/^vpc-[0-9a-f]{8,17}$/, "a VPC id such as vpc-0123456789abcdef0"),
  }),
  httpsProxy: option({
    variable: "HTTPS_PROXY",
    inLowerCaseToo: true,
    defaultText: "none",
    usedBy: CLOUD,
    isSecret: true,
    ...proxyUrl,
  }),
  noProxy: option({
    variable: "NO_PROXY",
    // Commander takes --no-proxy for the opposite of --proxy.
    flag: "--proxy-exceptions <hosts>",
    inLowerCaseToo: true,
    defaultText: "none",
    usedBy: CLOUD,
    ...text(4_096),
  }),
  sqsEndpoint: option({
    variable: "AWS_ENDPOINT_URL_SQS",
    flag: "--sqs-endpoint <url>",
    defaultText: "the host in QUEUE",
    usedBy: ["serve", "doctor"],
    ...text(2_048),
  }),
  discovery: option({
    variable: "DISCOVERY",
    flag: "--discovery <scope>",
    default: "vpc",
    usedBy: [...DISCOVERING, "doctor"],
    ...oneOf(["vpc", "tag"]),
  }),
  otherVpcs: option({
    variable: "OTHER_VPCS",
    flag: "--other-vpcs <mode>",
    default: "search",
    usedBy: ["serve", "drain", "plan", "status", "lambda", "watch"],
    ...oneOf(["search", "ignore"]),
  }),
  policyScope: option({
    variable: "POLICY_SCOPE",
    flag: "--scope <scope>",
    default: "vpc",
    usedBy: DISCOVERING,
    ...oneOf(["vpc", "tag"]),
  }),
  undo: option({
    variable: "UNDO",
    flag: "--undo",
    default: false,
    usedBy: ["serve", "lambda", "watch", "cancel", "policy"],
    ...flag,
  }),
  timeoutMs: option({
    variable: "TIMEOUT",
    flag: "--timeout <seconds>",
    defaultText: "the longest hold plus 60",
    usedBy: HOLDING,
    ...seconds(1, DAY_SECONDS),
  }),
  deadlineMarginMs: option({
    variable: "DEADLINE_MARGIN",
    flag: "--deadline-margin <seconds>",
    default: 10_000,
    usedBy: HOLDING,
    ...seconds(0, 600),
  }),
  albPropagationMs: option({
    variable: "ALB_PROPAGATION",
    flag: "--alb-propagation <seconds>",
    default: 30_000,
    usedBy: [...HOLDING, "doctor"],
    ...seconds(0, 3_600),
  }),
  nlbPropagationMs: option({
    variable: "NLB_PROPAGATION",
    flag: "--nlb-propagation <seconds>",
    default: 210_000,
    usedBy: [...HOLDING, "doctor"],
    ...seconds(0, 3_600),
  }),
  gwlbIdleMs: option({
    variable: "GWLB_IDLE",
    flag: "--gwlb-idle <seconds>",
    default: 350_000,
    usedBy: [...HOLDING, "doctor"],
    ...seconds(0, 7_200),
  }),
  classicMinimumMs: option({
    variable: "CLASSIC_MINIMUM",
    flag: "--classic-minimum <seconds>",
    default: 10_000,
    usedBy: [...HOLDING, "doctor"],
    ...seconds(0, 3_600),
  }),
  earlyRelease: option({
    variable: "EARLY_RELEASE",
    flag: "--early-release",
    default: false,
    usedBy: ["serve", "watch"],
    ...flag,
  }),
  earlyReleaseSettleMs: option({
    variable: "EARLY_RELEASE_SETTLE",
    flag: "--early-release-settle <seconds>",
    default: 5_000,
    usedBy: ["serve", "watch"],
    ...seconds(2, 600),
  }),
  minHealthy: option({
    variable: "MIN_HEALTHY",
    flag: "--min-healthy <number>",
    default: { count: 1 },
    usedBy: HOLDING,
    ...share(0, 1_000),
  }),
  guardWaitMs: option({
    variable: "GUARD_WAIT",
    flag: "--guard-wait <seconds>",
    default: 120_000,
    usedBy: HOLDING,
    ...seconds(0, 3_600),
  }),
  maxVoluntary: option({
    variable: "MAX_VOLUNTARY",
    flag: "--max-voluntary <number>",
    default: { percent: 50 },
    usedBy: ["serve", "drain", "plan", "lambda"],
    ...share(1, 100_000),
  }),
  quotaShare: option({
    variable: "QUOTA_SHARE",
    flag: "--quota-share <factor>",
    default: 0.8,
    usedBy: CLOUD,
    ...number(0.01, 100),
  }),
  indexPerSecond: option({
    variable: "INDEX_RATE",
    flag: "--index-rate <calls>",
    default: 1,
    usedBy: ["serve"],
    ...number(0, 100),
  }),
  dryRun: option({
    variable: "DRYRUN",
    flag: "--dry-run",
    default: false,
    usedBy: ["serve", "drain", "lambda", "watch"],
    ...flag,
  }),
  logLevel: option({
    variable: "LOGLEVEL",
    flag: "--log-level <level>",
    default: "info",
    usedBy: ["serve", "lambda", "watch", "hold"],
    ...oneOf(["debug", "info", "warn", "error"]),
  }),
  ...TRACING_OPTIONS,
  notificationsFile: option({
    variable: "NOTIFICATIONS_FILE",
    flag: "--notifications-file <path>",
    defaultText: "no notifications",
    usedBy: ["serve"],
    ...text(PATH_LENGTH_MAX, "path"),
  }),
  port: option({
    variable: "PORT",
    flag: "--port <port>",
    default: 8_080,
    usedBy: ["serve"],
    ...wholeNumber(0, 65_535),
  }),
  host: option({
    variable: "HOST",
    flag: "--host <address>",
    default: "0.0.0.0",
    usedBy: ["serve"],
    ...text(253),
  }),
  stateDir: option({
    variable: "STATE_DIR",
    flag: "--state-dir <path>",
    defaultText: "the ledger is kept in memory",
    usedBy: ["serve"],
    ...text(PATH_LENGTH_MAX, "path"),
  }),
  queue: option({
    variable: "QUEUE",
    flag: "--queue <url>",
    usedBy: ["serve", "policy", "doctor"],
    type: "URL or name",
    range: "URL of a standard SQS queue, or its name of at most 80 characters",
    parse: queueAddress,
    // A password in the URL must not appear in a log.
    printableAs: (given) => given.replace(/\/\/[^/@]*@/, "//…@").replace(/[?#].*/s, "?…"),
  }),
  queueForeign: option({
    variable: "QUEUE_FOREIGN",
    flag: "--queue-foreign <action>",
    default: "release",
    usedBy: ["serve", "lambda"],
    ...oneOf(["release", "delete"]),
  }),
  queueInFlightMax: option({
    variable: "QUEUE_IN_FLIGHT",
    flag: "--queue-in-flight <messages>",
    default: 1_000,
    usedBy: ["serve"],
    ...wholeNumber(10, 100_000),
  }),
  rebalance: option({
    variable: "REBALANCE",
    flag: "--rebalance <action>",
    default: "ignore",
    usedBy: ["serve", "watch"],
    ...oneOf(["ignore", "drain"]),
  }),
  rebalanceUndoMs: option({
    variable: "REBALANCE_UNDO_AFTER",
    flag: "--rebalance-undo-after <seconds>",
    default: 1_800_000,
    usedBy: ["serve", "watch"],
    ...seconds(60, 36_000),
  }),
  returningNodes: option({
    variable: "RETURNING_NODES",
    flag: "--returning-nodes <what>",
    default: "register",
    usedBy: ["serve", "lambda"],
    ...oneOf(["register", "leave"]),
  }),
  shutdownGraceMs: option({
    variable: "SHUTDOWN_GRACE",
    flag: "--shutdown-grace <seconds>",
    default: 25_000,
    usedBy: ["serve", "watch"],
    ...seconds(0, DAY_SECONDS),
  }),
  ...AGENT_OPTIONS,
  maintenanceLeadMs: option({
    variable: "MAINTENANCE_LEAD",
    flag: "--maintenance-lead <seconds>",
    // The longest deregistration delay of AWS, plus five minutes.
    default: 3_900_000,
    usedBy: ["serve", "lambda", "watch"],
    ...seconds(60, 604_800),
  }),
  terminationHook: option({
    variable: "TERMINATION_HOOK",
    flag: "--termination-hook <name>",
    usedBy: ["serve", "lambda", "watch", "policy", "doctor"],
    ...matching(/^[\w/-]{1,255}$/, "the name of a hook: letters, digits, -, _ and /"),
  }),
  hookGroups: option({
    variable: "HOOK_GROUPS",
    flag: "--hook-groups <names>",
    usedBy: ["policy"],
    ...GROUP_NAMES,
  }),
} as const;

export type OptionName = keyof typeof OPTIONS;
