import { EVENT_OPTIONS } from "./event-options.ts";
import { option, type Verb } from "./option.ts";
import { flag, matching, number, oneOf, seconds, share, text, wholeNumber } from "./option-values.ts";
import { WATCH_OPTIONS } from "./watch-options.ts";

const ALL: readonly Verb[] = ["serve", "drain", "plan", "status", "cancel", "watch"];
/** Those that go to the cloud themselves, without a word from a caller. */
const CLOUD: readonly Verb[] = [...ALL, "lambda"];
const CLOUD_AND_POLICY: readonly Verb[] = [...CLOUD, "policy"];
/** Those that need to know which pools are meant. */
const DISCOVERING: readonly Verb[] = ["serve", "drain", "plan", "status", "lambda", "watch", "policy"];
/** Those that need to know how long a node is held. */
const HOLDING: readonly Verb[] = ["serve", "drain", "plan", "lambda", "watch"];
const DAY_SECONDS = 86_400;
/** Headers hold 16 KiB in all. */
const SECRET_LENGTH_MAX = 4_096;
/** Linux's own. */
const PATH_LENGTH_MAX = 4_096;

/** Every option there is. An empty variable counts as unset. */
export const OPTIONS = {
  secret: option({
    variable: "SECRET",
    help: "the secret that callers must send; with --server, the service's",
    usedBy: ALL,
    isSecret: true,
    parse: text(SECRET_LENGTH_MAX),
  }),
  secretFile: option({
    variable: "SECRET_FILE",
    flag: "--secret-file <path>",
    help: "a file with secrets, one a line, in place of SECRET: serve takes each, and rereads it; a caller sends the first",
    usedBy: ALL,
    parse: text(PATH_LENGTH_MAX),
  }),
  querySecret: option({
    variable: "QUERY_SECRET",
    flag: "--no-query-secret",
    help: "whether the secret may come as pw in the query too; false: in the header alone",
    default: true,
    usedBy: ["serve"],
    parse: flag,
  }),
  tlsCertFile: option({
    variable: "TLS_CERT_FILE",
    flag: "--tls-cert-file <path>",
    help: "a certificate and its chain, in PEM, for HTTPS; with --server, the client's own",
    usedBy: ALL,
    parse: text(PATH_LENGTH_MAX),
  }),
  tlsKeyFile: option({
    variable: "TLS_KEY_FILE",
    flag: "--tls-key-file <path>",
    help: "the certificate's key",
    usedBy: ALL,
    parse: text(PATH_LENGTH_MAX),
  }),
  tlsClientCaFile: option({
    variable: "TLS_CLIENT_CA_FILE",
    flag: "--tls-client-ca-file <path>",
    help: "certificates of the authorities for clients: who sends the secret then needs a certificate of theirs too",
    usedBy: ["serve"],
    parse: text(PATH_LENGTH_MAX),
  }),
  cloudProvider: option({
    variable: "CLOUDPROVIDER",
    flag: "--cloud-provider <name>",
    help: "the cloud to work with: aws",
    usedBy: ["serve"],
    requiredBy: ["serve"],
    parse: oneOf(["aws"]),
  }),
  region: option({
    variable: "AWS_REGION",
    flag: "--region <region>",
    help: "the AWS region",
    defaultText: "where the AWS SDK finds one",
    usedBy: CLOUD_AND_POLICY,
    parse: matching(/^[a-z]{2,}(-[a-z]+)+-\d+$/, "a region such as eu-west-1"),
  }),
  clusterName: option({
    variable: "CLUSTERNAME",
    flag: "--cluster-name <name>",
    help: "the cluster; nodes of any other are refused",
    usedBy: CLOUD_AND_POLICY,
    parse: text(256),
  }),
  vpcId: option({
    variable: "VPCID",
    flag: "--vpc-id <id>",
    help: "the VPC; nodes of any other are refused",
    usedBy: CLOUD,
    parse: matching(/^vpc-[0-9a-f]{8,17}$/, "a VPC id such as vpc-0123456789abcdef0"),
  }),
  discovery: option({
    variable: "DISCOVERY",
    flag: "--discovery <how>",
    help: "vpc: every load balancer of the node's VPC; tag: only those with the cluster's tag",
    default: "vpc",
    usedBy: DISCOVERING,
    parse: oneOf(["vpc", "tag"]),
  }),
  policyScope: option({
    variable: "POLICY_SCOPE",
    flag: "--scope <which>",
    help: "what the IAM policy lets drains deregister from: vpc: any pool; tag: only pools with the cluster's tag",
    default: "vpc",
    usedBy: DISCOVERING,
    parse: oneOf(["vpc", "tag"]),
  }),
  undo: option({
    variable: "UNDO",
    flag: "--undo",
    help: "let drains be cancelled, which registers again what they have deregistered; the IAM policy must allow it",
    default: false,
    usedBy: ["serve", "watch", "cancel", "policy"],
    parse: flag,
  }),
  timeoutMs: option({
    variable: "TIMEOUT",
    flag: "--timeout <seconds>",
    help: "how long a drain may take, counted from each request for it",
    defaultText: "the longest hold and a minute",
    usedBy: HOLDING,
    unit: "seconds",
    parse: seconds(1, DAY_SECONDS),
  }),
  deadlineMarginMs: option({
    variable: "DEADLINE_MARGIN",
    flag: "--deadline-margin <seconds>",
    help: "how long before its deadline a drain ends, to leave time to answer; at most half of the notice",
    default: 10_000,
    usedBy: HOLDING,
    unit: "seconds",
    parse: seconds(0, 600),
  }),
  albPropagationMs: option({
    variable: "ALB_PROPAGATION",
    flag: "--alb-propagation <seconds>",
    help: "how long an ALB may send new requests after deregistering",
    default: 30_000,
    usedBy: HOLDING,
    unit: "seconds",
    parse: seconds(0, 3_600),
  }),
  nlbPropagationMs: option({
    variable: "NLB_PROPAGATION",
    flag: "--nlb-propagation <seconds>",
    help: "how long an NLB may open new connections after deregistering",
    default: 210_000,
    usedBy: HOLDING,
    unit: "seconds",
    parse: seconds(0, 3_600),
  }),
  gwlbIdleMs: option({
    variable: "GWLB_IDLE",
    flag: "--gwlb-idle <seconds>",
    help: "how long a GWLB keeps idle flows on a deregistered target",
    default: 350_000,
    usedBy: HOLDING,
    unit: "seconds",
    parse: seconds(0, 7_200),
  }),
  classicMinimumMs: option({
    variable: "CLASSIC_MINIMUM",
    flag: "--classic-minimum <seconds>",
    help: "how long a node is held for a classic load balancer at least",
    default: 10_000,
    usedBy: HOLDING,
    unit: "seconds",
    parse: seconds(0, 3_600),
  }),
  minHealthy: option({
    variable: "MIN_HEALTHY",
    flag: "--min-healthy <number>",
    help: "healthy targets that every pool keeps, or which part of its targets, such as 20%; 0: no guard and no MAX_VOLUNTARY",
    default: { count: 1 },
    usedBy: HOLDING,
    parse: share(0, 1_000),
  }),
  guardWaitMs: option({
    variable: "GUARD_WAIT",
    flag: "--guard-wait <seconds>",
    help: "how long a node that goes anyway stays in a pool that needs a replacement, at most",
    default: 120_000,
    usedBy: HOLDING,
    unit: "seconds",
    parse: seconds(0, 3_600),
  }),
  maxVoluntary: option({
    variable: "MAX_VOLUNTARY",
    flag: "--max-voluntary <number>",
    help: "drains at once that somebody merely wants, or of which part of the nodes; more are refused; 100%: any number",
    default: { percent: 50 },
    usedBy: ["serve", "drain", "plan", "lambda"],
    parse: share(1, 100_000),
  }),
  quotaShare: option({
    variable: "QUOTA_SHARE",
    flag: "--quota-share <part>",
    help: "the part of AWS's default request quotas to use; above 1 where AWS has raised them for the account",
    default: 0.8,
    usedBy: CLOUD,
    parse: number(0.01, 100),
  }),
  indexPerSecond: option({
    variable: "INDEX_RATE",
    flag: "--index-rate <calls>",
    help: "calls a second to AWS to know where nodes are registered before they are drained; 0: none, each drain searches",
    default: 1,
    usedBy: ["serve"],
    parse: number(0, 100),
  }),
  dryRun: option({
    variable: "DRYRUN",
    flag: "--dry-run",
    help: "answer with the plan and change nothing",
    default: false,
    usedBy: ["serve", "drain", "lambda", "watch"],
    parse: flag,
  }),
  logLevel: option({
    variable: "LOGLEVEL",
    flag: "--log-level <level>",
    help: "debug, info, warn or error",
    default: "info",
    usedBy: ["serve", "lambda", "watch"],
    parse: oneOf(["debug", "info", "warn", "error"]),
  }),
  port: option({
    variable: "PORT",
    flag: "--port <port>",
    help: "the port to listen on; 0 for any free one",
    default: 8_080,
    usedBy: ["serve"],
    parse: wholeNumber(0, 65_535),
  }),
  host: option({
    variable: "HOST",
    flag: "--host <address>",
    help: "the address to listen on",
    default: "0.0.0.0",
    usedBy: ["serve"],
    parse: text(253),
  }),
  stateDir: option({
    variable: "STATE_DIR",
    flag: "--state-dir <path>",
    help: "a directory for the ledger of drains: with it the next start takes up what had not ended",
    defaultText: "in memory",
    usedBy: ["serve"],
    parse: text(4_096),
  }),
  ...EVENT_OPTIONS,
  shutdownGraceMs: option({
    variable: "SHUTDOWN_GRACE",
    flag: "--shutdown-grace <seconds>",
    help: "how long running drains may go on after SIGTERM; a second SIGTERM ends them at once",
    default: 25_000,
    usedBy: ["serve", "watch"],
    unit: "seconds",
    parse: seconds(0, DAY_SECONDS),
  }),
  ...WATCH_OPTIONS,
} as const;

export type OptionName = keyof typeof OPTIONS;
