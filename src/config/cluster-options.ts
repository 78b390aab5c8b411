import {
  flag,
  matching,
  nodeTriggers,
  oneOf,
  option,
  PATH_LENGTH_MAX,
  seconds,
  text,
  type Verb,
  wholeNumber,
} from "./values.ts";

/** The commands that may call a Kubernetes API server. */
const KUBERNETES: readonly Verb[] = ["serve", "drain", "plan", "cancel", "uncordon", "doctor"];
/** Departures that Node objects announce by themselves, and those that a person requests. */
const NODE_TRIGGERS_DEFAULT = "autoscaler,karpenter,deletion,annotation";
/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const LABEL = matching(/^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "1 to 63 lower-case letters, digits and -");
const NAME = matching(/^(?=.{1,253}$)[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/, "1 to 253 lower-case letters, digits, - and .");

/** The options of the cluster. */
export const CLUSTER_OPTIONS = {
  kubernetes: option({
    variable: "KUBERNETES",
    flag: "--kubernetes <where>",
    defaultText: "no Kubernetes API",
    usedBy: KUBERNETES,
    ...text(PATH_LENGTH_MAX, "in-cluster or path"),
  }),
  kubernetesContext: option({
    variable: "KUBERNETES_CONTEXT",
    flag: "--kubernetes-context <name>",
    defaultText: "the current context of the kubeconfig",
    usedBy: KUBERNETES,
    ...text(256),
  }),
  lease: option({
    variable: "LEASE",
    flag: "--lease <name>",
    defaultText: "this process runs alone",
    usedBy: ["serve", "rbac"],
    ...LABEL,
  }),
  podName: option({
    variable: "POD_NAME",
    flag: "--pod-name <name>",
    usedBy: ["serve"],
    ...NAME,
  }),
  podNamespace: option({
    variable: "POD_NAMESPACE",
    flag: "--pod-namespace <name>",
    usedBy: ["serve"],
    ...LABEL,
  }),
  podIp: option({
    variable: "POD_IP",
    flag: "--pod-ip <address>",
    usedBy: ["serve"],
    ...matching(/^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(:[0-9a-fA-F.]{0,15}){2,8})$/, "an IPv4 or IPv6 address"),
  }),
  nodeName: option({
    variable: "NODE_NAME",
    flag: "--node-name <name>",
    usedBy: ["serve"],
    ...NAME,
  }),
  nodeTriggers: option({
    variable: "NODE_TRIGGERS",
    flag: "--node-triggers <list>",
    default: nodeTriggers.parse(NODE_TRIGGERS_DEFAULT),
    defaultText: NODE_TRIGGERS_DEFAULT,
    usedBy: ["serve"],
    ...nodeTriggers,
  }),
  autoscalerHold: option({
    variable: "AUTOSCALER_HOLD",
    flag: "--autoscaler-hold",
    default: false,
    usedBy: ["serve"],
    ...flag,
  }),
  autoscalerDelayMs: option({
    variable: "AUTOSCALER_DELAY",
    flag: "--autoscaler-delay <seconds>",
    default: 120_000,
    usedBy: ["serve"],
    ...seconds(0, 3_600),
  }),
  nlbFastPath: option({
    variable: "NLB_FAST_PATH",
    flag: "--nlb-fast-path",
    default: false,
    usedBy: ["serve", "plan"],
    ...flag,
  }),
  evict: option({
    variable: "EVICT",
    flag: "--evictions <when>",
    default: "requested",
    usedBy: ["serve", "rbac"],
    ...oneOf(["never", "requested", "always"]),
  }),
  evictionGate: option({
    variable: "EVICTION_GATE",
    flag: "--eviction-gate",
    default: false,
    usedBy: ["serve", "rbac"],
    ...flag,
  }),
  evictionGatePort: option({
    variable: "EVICTION_GATE_PORT",
    flag: "--eviction-gate-port <number>",
    default: 8_443,
    usedBy: ["serve"],
    ...wholeNumber(0, 65_535),
  }),
  evictionGateCertFile: option({
    variable: "EVICTION_GATE_CERT_FILE",
    flag: "--eviction-gate-cert-file <path>",
    usedBy: ["serve"],
    ...text(PATH_LENGTH_MAX, "path"),
  }),
  evictionGateKeyFile: option({
    variable: "EVICTION_GATE_KEY_FILE",
    flag: "--eviction-gate-key-file <path>",
    usedBy: ["serve"],
    ...text(PATH_LENGTH_MAX, "path"),
  }),
  tokenReview: option({
    variable: "TOKEN_REVIEW",
    flag: "--token-review",
    default: false,
    usedBy: ["serve", "rbac"],
    ...flag,
  }),
  tokenAudience: option({
    variable: "TOKEN_AUDIENCE",
    flag: "--token-audience <name>",
    default: "hasta-la-vista",
    usedBy: ["serve"],
    ...text(256),
  }),
} as const;
