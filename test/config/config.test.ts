import { describe, expect, test } from "vitest";
import {
  ConfigError,
  drainGuard,
  drainTimes,
  OPTIONS,
  type Option,
  type OptionName,
  readConfig,
  type Verb,
} from "../../src/config/config.ts";
import { tracesUrl } from "../../src/config/tracing-options.ts";
import { printable } from "../../src/drain/errors.ts";

const SERVE = { SECRET: "s", CLOUDPROVIDER: "aws" };

interface Refused {
  readonly values: readonly string[];
  /** What people are told to give instead. */
  readonly advice: string;
}

const NO_NUMBERS = [
  "-1",
  "1e3",
  "1e309",
  "9999999999999",
  "Infinity",
  "NaN",
  "0x10",
  "1,5",
  ".5",
  "5 s",
  "１０",
  "\u001b[1m",
];
const seconds = (min: number, beyond: number): Refused => ({
  values: [...NO_NUMBERS, `${beyond}`, ...(min > 0 ? ["0", "0.9"] : ["-0.1"])],
  advice: `give seconds from ${min} to ${beyond - 1}, such as ${Math.min(60, beyond - 1)}`,
});
const words = (advice: string, ...values: readonly string[]): Refused => ({
  values: ["none of them", "\u202eswa", "\u001b[31maws", "x".repeat(100_000), ...values],
  advice,
});
const text = (lengthMax: number): Refused => ({
  values: ["x".repeat(lengthMax + 1), "a\nb", "a\u001b[31mb", "a\u0000b"],
  advice: `give at most ${lengthMax} characters, and no control characters`,
});

const names = (range: string, ...values: readonly string[]): Refused => ({
  values: ["A", "a_b", "-a", "a-", "a b", "a/b", ...values],
  advice: `give ${range}`,
});

/** A service with several replicas. */
const LEASED = {
  KUBERNETES: "in-cluster",
  NODE_TRIGGERS: "none",
  LEASE: "hasta-la-vista",
  STATE_DIR: "/tmp",
  POD_NAME: "pod-1",
  POD_NAMESPACE: "kube-system",
  POD_IP: "fd00::7",
  NODE_NAME: "ip-10-0-0-1.eu-west-1.compute.internal",
};

const COLLECTOR_URL: Refused = {
  values: ["collector:4318", "grpc://collector:4317", "http://", `http://${"c".repeat(2_048)}`],
  advice: "give a URL such as http://collector:4318, and credentials in OTEL_EXPORTER_OTLP_HEADERS instead",
};

/** For each option, what it does not take. */
const REFUSED: Readonly<Record<OptionName, Refused>> = {
  secret: text(4_096),
  secretFile: text(4_096),
  tokenFile: text(4_096),
  tokenReview: words("give true or false", "yes", "2", "-1", "perhaps"),
  tokenAudience: text(256),
  querySecret: words("give true or false", "yes", "2", "-1", "perhaps"),
  tlsCertFile: text(4_096),
  tlsKeyFile: text(4_096),
  tlsClientCaFile: text(4_096),
  cloudProvider: words("give aws", "gcp", "aws,aws"),
  region: words("give a region such as eu-west-1", "eu west", "EU-WEST-1", "eu-west", "-1"),
  clusterName: text(256),
  kubernetes: text(4_096),
  kubernetesContext: text(256),
  lease: names("1 to 63 lower-case letters, digits and -", "a.b", "x".repeat(64)),
  podName: names("1 to 253 lower-case letters, digits, - and .", "x".repeat(254)),
  podNamespace: names("1 to 63 lower-case letters, digits and -", "a.b", "x".repeat(64)),
  podIp: {
    values: ["10.0.0", "pod-1", "10.0.0.1:80", "http://10.0.0.1", "[::1]", "10.0.0.1/24"],
    advice: "give an IPv4 or IPv6 address",
  },
  nodeName: names("1 to 253 lower-case letters, digits, - and .", "x".repeat(254)),
  evict: words("give one of never, requested, always", "true", "yes", "sometimes"),
  evictionGate: words("give true or false", "yes", "2", "-1", "perhaps"),
  evictionGatePort: { values: [...NO_NUMBERS, "65536", "80.5"], advice: "give a whole number from 0 to 65535" },
  evictionGateCertFile: text(4_096),
  evictionGateKeyFile: text(4_096),
  nodeTriggers: {
    values: [
      "all",
      "taint",
      "taint:",
      "taint:a b",
      "autoscaler;karpenter",
      "autoscaler,none",
      "cordoned",
      `taint:${"k".repeat(64)}`,
    ],
    advice: "give none, or some of autoscaler, karpenter, deletion, annotation, cordon, not-ready, taint:KEY",
  },
  autoscalerHold: words("give true or false", "yes", "2", "-1", "perhaps"),
  autoscalerDelayMs: seconds(0, 3_601),
  nlbFastPath: words("give true or false", "yes", "2", "-1", "perhaps"),
  vpcId: words(
    "give a VPC id such as vpc-0123456789abcdef0",
    "vpc",
    "VPC-01234567",
    "vpc-0123456",
    `vpc-${"0".repeat(18)}`,
  ),
  httpsProxy: {
    values: ["socks5://proxy:1080", "http://", "http://p:1/path", "a b"],
    advice: "give a proxy such as http://proxy.example.com:3128",
  },
  noProxy: text(4_096),
  otlpEndpoint: COLLECTOR_URL,
  otlpTracesEndpoint: COLLECTOR_URL,
  otlpProtocol: words("give http/protobuf", "grpc", "http/json"),
  tracesSampler: words(
    "give one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio",
    "jaeger_remote",
    "always",
  ),
  tracesSamplerRatio: { values: [...NO_NUMBERS, "1.1", "50%"], advice: "give a number from 0 to 1, such as 0.5" },
  otelDisabled: words("give true or false", "yes", "2", "-1", "perhaps"),
  sqsEndpoint: text(2_048),
  awsPlaces: {
    values: [
      "eu-west-1",
      "Region=",
      "Region=Ireland",
      "Region=eu-west-1,",
      "Region=eu-west-1,Region=eu-west-2",
      "Region=eu-west-1,Account=444455556666",
      "RoleArn=arn:aws:iam::444455556666:role/drainer",
      "Region=eu-west-1,RoleArn=arn:aws:iam::444455556666:user/drainer",
      "Region=eu-west-1,RoleArn=444455556666",
      "Region=eu-west-1,RoleSessionName=blue",
      "Region=eu-west-1,RoleArn=arn:aws:iam::444455556666:role/drainer,RoleSessionName=b",
      "Region=eu-west-1,RoleArn=arn:aws:iam::444455556666:role/drainer,RoleSessionName=two words",
      "Region=eu-west-1,toString=x",
      Array.from({ length: 21 }, (_, index) => `Region=eu-west-${index + 1}`).join(" "),
    ],
    advice: "give 1 to 20 of Region=…[,RoleArn=…[,ExternalId=…][,RoleSessionName=…]] with spaces between them",
  },
  discovery: words("give one of vpc, tag", "all", "vpc,tag"),
  otherVpcs: words("give one of search, ignore", "all", "true"),
  policyScope: words("give one of vpc, tag", "all", "vpc,tag"),
  timeoutMs: seconds(1, 86_401),
  minHealthy: {
    values: [...NO_NUMBERS, "1001", "101%", "-1%", "1.5", "%", "20 %", "20%%", "half"],
    advice: "give a whole number or percentage from 0 to 1000, or from 0% to 100%",
  },
  guardWaitMs: seconds(0, 3_601),
  maxVoluntary: {
    values: [...NO_NUMBERS, "0", "0%", "100001", "101%", "all"],
    advice: "give a whole number or percentage from 1 to 100000, or from 1% to 100%",
  },
  quotaShare: {
    values: [...NO_NUMBERS, "-0.1", "0", "0.009", "100.1"],
    advice: "give a number from 0.01 to 100, such as 0.5",
  },
  indexPerSecond: { values: [...NO_NUMBERS, "-1", "100.1"], advice: "give a number from 0 to 100, such as 0.5" },
  deadlineMarginMs: seconds(0, 601),
  albPropagationMs: seconds(0, 3_601),
  nlbPropagationMs: seconds(0, 3_601),
  gwlbIdleMs: seconds(0, 7_201),
  gwlbFailoverMs: seconds(0, 3_601),
  classicMinimumMs: seconds(0, 3_601),
  earlyRelease: words("give true or false", "yes", "2", "-1", "perhaps"),
  earlyReleaseSettleMs: seconds(2, 601),
  metadataEndpointMode: words("give one of ipv4, ipv6", "4", "dualstack"),
  returningNodes: words("give one of register, leave", "true", "drain"),
  maintenanceLeadMs: seconds(60, 604_801),
  undo: words("give true or false", "yes", "2", "-1", "perhaps"),
  dryRun: words("give true or false", "yes", "2", "-1", "perhaps"),
  logLevel: words("give one of debug, info, warn, error", "loud", "trace", "0"),
  port: { values: [...NO_NUMBERS, "65536", "80.5"], advice: "give a whole number from 0 to 65535" },
  host: text(253),
  stateDir: text(4_096),
  notificationsFile: text(4_096),
  queue: {
    values: [
      "two words",
      "q".repeat(81),
      "arn:aws:sqs:eu-west-1:123456789012:departures",
      "ftp://sqs.eu-west-1.amazonaws.com/123456789012/departures",
      "https://sqs.eu-west-1.amazonaws.com/departures",
      "https://sqs.eu-west-1.amazonaws.com/123456789012/departures/more",
      "https://",
      "/",
      "\u001b[31mqueue",
    ],
    advice: "give the queue's URL, such as https://sqs.eu-west-1.amazonaws.com/123456789012/departures, or its name",
  },
  queueForeign: words("give one of release, delete", "leave", "release,delete"),
  queueInFlightMax: {
    values: [...NO_NUMBERS, "9", "100001", "10.5"],
    advice: "give a whole number from 10 to 100000",
  },
  rebalance: words("give one of ignore, drain", "true", "ignore,drain"),
  rebalanceUndoMs: seconds(60, 36_001),
  shutdownGraceMs: seconds(0, 86_401),
  metadataEndpoint: words(
    "give an address such as http://169.254.169.254, and nothing after it",
    "169.254.169.254",
    "https://169.254.169.254",
    "http://user@169.254.169.254",
    "http://169.254.169.254/latest",
    "http://169.254.169.254/?a=b",
    "http://fd00:ec2::254",
    `http://${"x".repeat(300)}`,
  ),
  metadataIntervalMs: seconds(1, 31),
  metricsPort: { values: [...NO_NUMBERS, "65536", "80.5"], advice: "give a whole number from 0 to 65535" },
  metricsHost: text(253),
  hookGroups: words(
    "give 1 to 50 names of Auto Scaling groups with commas between them; * and ? stand for other characters",
    "a,,b",
    ",a",
    "a,",
    "größe",
    "a$b",
    "x".repeat(256),
    Array.from({ length: 51 }, () => "a").join(),
  ),
  terminationHook: words("give the name of a hook: letters, digits, -, _ and /", "a hook", "größe", "x".repeat(256)),
};

function problems(environment: Record<string, string>, verb: Verb = "serve"): readonly string[] {
  try {
    readConfig({ verb, environment });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("the configuration", () => {
  test("of the service needs a secret and a cloud provider, and has defaults for the rest", () => {
    expect(readConfig({ verb: "serve", environment: SERVE })).toMatchObject({
      secret: "s",
      cloudProvider: "aws",
      port: 8_080,
      host: "0.0.0.0",
      discovery: "vpc",
      logLevel: "info",
      dryRun: false,
      timeoutMs: undefined,
    });
  });

  test("of the other verbs needs nothing", () => {
    expect(problems({}, "drain")).toEqual([]);
    expect(problems({}, "plan")).toEqual([]);
  });

  test("reports all its problems together, each with its variable and what was given", () => {
    expect(
      problems({ CLOUDPROVIDER: "gcp", TIMEOUT: "soon", LOGLEVEL: "loud", PORT: "70000", DRYRUN: "perhaps" }),
    ).toEqual([
      "CLOUDPROVIDER is 'gcp': give aws",
      "TIMEOUT is 'soon': give seconds from 1 to 86400, such as 60",
      "DRYRUN is 'perhaps': give true or false",
      "LOGLEVEL is 'loud': give one of debug, info, warn, error",
      "PORT is '70000': give a whole number from 0 to 65535",
      "SECRET is not set: give the secret that callers must send, or SECRET_FILE",
    ]);
  });

  test.each<[string, Record<string, string>, string]>([
    ["no secret", { CLOUDPROVIDER: "aws" }, "SECRET is not set"],
    ["two secrets", { ...SERVE, SECRET_FILE: "/x" }, "SECRET and SECRET_FILE are both set: set only one"],
    ["no cloud", { SECRET: "s" }, "CLOUDPROVIDER is not set"],
    [
      "tokens of no cluster",
      { ...SERVE, TOKEN_REVIEW: "true" },
      "TOKEN_REVIEW is true, and KUBERNETES is not set: name the cluster whose tokens are accepted",
    ],
    [
      "a policy for the tag of no cluster",
      { ...SERVE, POLICY_SCOPE: "tag" },
      "POLICY_SCOPE is tag, and CLUSTERNAME is not set",
    ],
    [
      "the fast path without a cluster",
      { ...SERVE, NLB_FAST_PATH: "1" },
      "NLB_FAST_PATH is true, and KUBERNETES is not",
    ],
    [
      "the fast path without an undo",
      { ...SERVE, NLB_FAST_PATH: "1", KUBERNETES: "/x", NODE_TRIGGERS: "none" },
      "NLB_FAST_PATH is true, and UNDO is not set: set UNDO=true, so that the taint can be removed",
    ],
    [
      "a certificate without its key",
      { ...SERVE, TLS_CERT_FILE: "/x" },
      "TLS_CERT_FILE is set, and TLS_KEY_FILE is not",
    ],
    [
      "a key without its certificate",
      { ...SERVE, TLS_KEY_FILE: "/x" },
      "TLS_KEY_FILE is set, and TLS_CERT_FILE is not",
    ],
    [
      "an authority for clients' certificates, without TLS",
      { ...SERVE, TLS_CLIENT_CA_FILE: "/x" },
      "TLS_CLIENT_CA_FILE is set, and TLS_CERT_FILE is not",
    ],
    [
      "an eviction gate without a cluster",
      { ...SERVE, EVICTION_GATE: "true", EVICTION_GATE_CERT_FILE: "/x", EVICTION_GATE_KEY_FILE: "/y" },
      "EVICTION_GATE is set, and KUBERNETES is not: give the cluster whose evictions are reviewed",
    ],
    [
      "an eviction gate without a key",
      { ...SERVE, UNDO: "1", EVICTION_GATE: "true", KUBERNETES: "in-cluster", EVICTION_GATE_CERT_FILE: "/x" },
      "EVICTION_GATE is set, and EVICTION_GATE_KEY_FILE is not: give the private key of that certificate",
    ],
  ])("with %s is refused", (_, environment, problem) => {
    expect(problems(environment)).toEqual([expect.stringContaining(problem)]);
  });

  test.each([
    ["KUBERNETES", "give the cluster that the Lease is in"],
    ["STATE_DIR", "give a directory of this pod for the ledger, such as an emptyDir"],
    ["POD_NAME", "set it from the field metadata.name of the pod (downward API)"],
    ["POD_NAMESPACE", "set it from the field metadata.namespace of the pod (downward API)"],
    ["POD_IP", "set it from the field status.podIP of the pod (downward API)"],
    ["NODE_NAME", "set it from the field spec.nodeName of the pod (downward API)"],
  ])("with a Lease and without %s is refused", (name, advice) => {
    expect(problems({ ...SERVE, ...LEASED })).toEqual([]);
    expect(problems({ ...SERVE, ...LEASED, [name]: "" })).toEqual([`LEASE is set, and ${name} is not: ${advice}`]);
  });

  test("never shows a secret in a problem", () => {
    expect(problems({ SECRET: "hush", SECRET_FILE: "/x", TIMEOUT: "x", CLOUDPROVIDER: "aws" }).join()).not.toContain(
      "hush",
    );
  });

  test.each([
    ["true", true],
    ["1", true],
    ["TRUE", true],
    ["false", false],
    ["0", false],
    ["", false],
  ])("takes DRYRUN=%s, as it always did", (DRYRUN, expected) => {
    expect(readConfig({ verb: "serve", environment: { ...SERVE, DRYRUN } }).dryRun).toBe(expected);
  });

  test.each(["debug", "DEBUG", "Info", "warn", "ERROR"])("takes LOGLEVEL=%s in either case", (LOGLEVEL) => {
    expect(readConfig({ verb: "serve", environment: { ...SERVE, LOGLEVEL } }).logLevel).toBe(LOGLEVEL.toLowerCase());
  });

  test.each(["eu-west-1", "us-gov-west-1", "cn-north-1", "ap-southeast-4", "us-iso-east-1"])(
    "takes the region %s",
    (AWS_REGION) => {
      expect(readConfig({ verb: "plan", environment: { AWS_REGION } }).region).toBe(AWS_REGION);
    },
  );

  test("does not repeat the external id of a role that it refuses", () => {
    const AWS_PLACES = "Region=eu-west-1,RoleArn=wrong,ExternalId=between-us-two";
    const [problem = ""] = problems({ ...SERVE, AWS_PLACES });
    expect(problem).toMatch(/^AWS_PLACES is 'Region=eu-west-1,RoleArn=wrong,ExternalId=…': give 1 to 20 of/);
  });

  test("refuses AWS_PLACES for a function, which would look at one account and region only", () => {
    expect(problems({ AWS_PLACES: "Region=eu-west-1" }, "lambda")).toEqual([
      "AWS_PLACES is set: deploy one function for each account and region instead",
    ]);
    expect(problems({ AWS_PLACES: " " }, "lambda")).toEqual([]);
  });

  test("refuses REBALANCE=drain for a function, which could not register the node again", () => {
    expect(problems({ REBALANCE: "drain" }, "lambda")).toEqual([
      expect.stringMatching(
        /^REBALANCE is drain: a function can't register the node again later, .*leave REBALANCE out$/,
      ),
    ]);
    expect(problems({ REBALANCE: "ignore" }, "lambda")).toEqual([]);
  });

  test("counts an empty variable as unset", () => {
    expect(readConfig({ verb: "drain", environment: { TIMEOUT: "", CLUSTERNAME: " " } })).toMatchObject({
      timeoutMs: undefined,
      clusterName: undefined,
    });
  });

  test("of every option has a sweep of values that it refuses", () => {
    expect(Object.keys(REFUSED).sort()).toEqual(Object.keys(OPTIONS).sort());
  });

  describe.each(Object.entries(REFUSED) as [OptionName, Refused][])("refuses for %s", (name, { values, advice }) => {
    const { variable, flag, usedBy } = OPTIONS[name] as Option;
    const verb = usedBy.includes("serve") ? "serve" : (usedBy[0] ?? "watch");
    test.each(values.map((value) => [value]))("%j, and says what to give", (value) => {
      const environment: Record<string, string> = { ...SERVE, [variable]: value };
      if (name === "secretFile") delete environment["SECRET"];
      if (name === "tlsClientCaFile") Object.assign(environment, { TLS_CERT_FILE: "/x", TLS_KEY_FILE: "/x" });
      const given = (OPTIONS[name] as Option).isSecret ? "can't be used" : `is '${printable(value.trim())}'`;
      expect(problems(environment, verb)).toEqual([`${variable} ${given}: ${advice}`]);
      if (flag === undefined) return;
      const others = Object.fromEntries(Object.entries(environment).filter(([key]) => key !== variable));
      const read = () => readConfig({ verb, environment: others, flags: { [name]: value } });
      expect(read).toThrow(`${flag.split(" ")[0]} ${given}: ${advice}`);
    });
  });

  test.each<[string, string]>([
    ["TIMEOUT", "1"],
    ["TIMEOUT", "86400"],
    ["PORT", "0"],
    ["PORT", "65535"],
    ["ALB_PROPAGATION", "0"],
    ["ALB_PROPAGATION", "0.5"],
    ["ALB_PROPAGATION", "3600"],
    ["NLB_PROPAGATION", "3600"],
    ["CLASSIC_MINIMUM", "3600"],
    ["DEADLINE_MARGIN", "600"],
    ["GWLB_IDLE", "7200"],
    ["SHUTDOWN_GRACE", "86400"],
    ["METADATA_INTERVAL", "1"],
    ["METADATA_INTERVAL", "30"],
    ["METRICS_PORT", "0"],
    ["METRICS_PORT", "65535"],
    ["METRICS_HOST", "h".repeat(253)],
    ["CLUSTERNAME", "ü".repeat(256)],
    ["HOST", "h".repeat(253)],
    ["QUOTA_SHARE", "0.01"],
    ["QUOTA_SHARE", "100"],
    ["INDEX_RATE", "0"],
    ["INDEX_RATE", "0.5"],
    ["QUERY_SECRET", "FALSE"],
    ["MIN_HEALTHY", "0"],
    ["MIN_HEALTHY", "1000"],
    ["MIN_HEALTHY", "100%"],
    ["GUARD_WAIT", "3600"],
    ["MAX_VOLUNTARY", "1"],
    ["MAX_VOLUNTARY", "100000"],
    ["MAX_VOLUNTARY", "1%"],
    ["MAX_VOLUNTARY", "100%"],
    ["SECRET", "s".repeat(4_096)],
    ["SECRET", " größe "],
  ])("takes %s=%s", (name, value) => {
    expect(problems({ ...SERVE, [name]: value })).toEqual([]);
  });

  test("lets a flag win over its variable, and names the flag when it is wrong", () => {
    const environment = { TIMEOUT: "60" };
    expect(readConfig({ verb: "drain", environment, flags: { timeoutMs: "90" } }).timeoutMs).toBe(90_000);
    expect(() => readConfig({ verb: "drain", environment, flags: { timeoutMs: "x" } })).toThrow("--timeout is 'x'");
  });

  test("is frozen once it is read", () => {
    expect(Object.isFrozen(readConfig({ verb: "drain", environment: {} }))).toBe(true);
  });

  test("ignores what its verb does not use", () => {
    expect(problems({ PORT: "none", SECRET: "" }, "drain")).toEqual([]);
  });

  test("refuses credentials in the URL of a collector, and does not repeat them", () => {
    for (const given of ["http://user:hunter2@collector:4318", "https://collector/v1/traces?key=hunter2"]) {
      const [problem = "", ...others] = problems({ OTEL_EXPORTER_OTLP_ENDPOINT: given }, "watch");
      expect(others).toEqual([]);
      expect(problem).toContain("OTEL_EXPORTER_OTLP_HEADERS");
      expect(problem).not.toContain("hunter2");
    }
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" }, "http://collector:4318/v1/traces"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "https://otlp.example.com/otlp/" }, "https://otlp.example.com/otlp/v1/traces"],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://traces:4318/in" },
      "http://traces:4318/in",
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_SDK_DISABLED: "true" }, undefined],
    [{}, undefined],
  ])("sends traces as %j says", (environment, url) => {
    expect(tracesUrl(readConfig({ verb: "watch", environment }))).toBe(url);
  });

  test("gives every option a flag but those that hold a secret themselves", () => {
    const flagless = (Object.keys(OPTIONS) as OptionName[]).filter((name) => OPTIONS[name].flag === undefined);
    expect(flagless).toEqual(["secret", "httpsProxy"]);
  });

  test("has a guard unless that is switched off, which calls its options as they were given", () => {
    const given = { MIN_HEALTHY: "20%", GUARD_WAIT: "60", MAX_VOLUNTARY: "7" };
    const guard = drainGuard(readConfig({ verb: "drain", environment: given, flags: { maxVoluntary: "5" } }));
    expect(guard).toMatchObject({
      minHealthy: { percent: 20 },
      waitMs: 60_000,
      maxVoluntary: { count: 5 },
      names: { minHealthy: "MIN_HEALTHY", maxVoluntary: "--max-voluntary" },
    });
    expect(drainGuard(readConfig({ verb: "drain", environment: {} }))).toMatchObject({
      minHealthy: { count: 1 },
      waitMs: 120_000,
      maxVoluntary: { percent: 50 },
    });
    for (const MIN_HEALTHY of ["0", "0%"])
      expect(drainGuard(readConfig({ verb: "drain", environment: { MIN_HEALTHY } }))).toBeUndefined();
  });

  test("hands its times to the core in milliseconds", () => {
    const config = readConfig({ verb: "drain", environment: { TIMEOUT: "60", NLB_PROPAGATION: "1.5" } });
    const allowances = { albPropagationMs: 30_000, gwlbIdleMs: 350_000, classicMinimumMs: 10_000 };
    expect(config).toMatchObject({ ...allowances, nlbPropagationMs: 1_500 });
    expect(drainTimes(config)).toEqual({
      timeoutMs: 60_000,
      timeoutName: "TIMEOUT",
      deadlineMarginMs: 10_000,
    });
  });
});
