/** What a role is for. */
export interface ClusterNeeds {
  /** Whether nodes are drained: `plan` only reads. */
  readonly writes: boolean;
  /** Whether departures of nodes are noticed. The service notices them, and commands get nodes by name. */
  readonly watches: boolean;
  /** Whether pods may be evicted if a request asks for it. Absent: they may. */
  readonly evicts?: boolean;
  /**
   * Whether pods may be deleted regardless of their disruption budgets (`--disable-eviction`). Absent: they may not.
   */
  readonly deletesPods?: boolean;
  /** Whether evictions by other programs are held. A service with the eviction gate does. */
  readonly gates?: boolean;
  /** The Lease of a service with several replicas, by its name. Absent: the program runs alone. */
  readonly lease?: string | undefined;
  /** Whether the cluster is audited (`doctor`). Absent: it is not. */
  readonly audits?: boolean;
  /** `false`: no node is drained or planned for, as with `doctor`. */
  readonly drains?: boolean;
  /** Whether callers may send tokens of the cluster instead of the secret. */
  readonly reviewsTokens?: boolean;
}

/** https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Feature {
  /** The purpose of the rules, as a comment of the printed role. */
  readonly purpose: string;
  readonly rules: readonly PolicyRule[];
}

interface ClusterFeature extends Feature {
  readonly isNeeded: (needs: ClusterNeeds) => boolean;
}

const CORE = [""];

/** Every call to the API server for another purpose must be added here. The tests run under exactly these rules. */
const FEATURES: readonly ClusterFeature[] = [
  {
    purpose: "Find nodes by their names.",
    isNeeded: ({ drains }) => drains !== false,
    rules: [{ apiGroups: CORE, resources: ["nodes"], verbs: ["get", "list"] }],
  },
  {
    purpose: "Notice that nodes are going away.",
    isNeeded: ({ watches }) => watches,
    rules: [{ apiGroups: CORE, resources: ["nodes"], verbs: ["watch"] }],
  },
  {
    purpose:
      "Exclude nodes from load balancers by their label, taint them with NLB_FAST_PATH, and write what happens into annotations.",
    isNeeded: ({ writes }) => writes,
    rules: [{ apiGroups: CORE, resources: ["nodes"], verbs: ["patch"] }],
  },
  {
    purpose: "Find the pods of a node, whose addresses are targets.",
    isNeeded: ({ drains }) => drains !== false,
    rules: [{ apiGroups: CORE, resources: ["pods"], verbs: ["list"] }],
  },
  {
    purpose: "Know the pods of all nodes when many leave at once.",
    isNeeded: ({ watches }) => watches,
    rules: [{ apiGroups: CORE, resources: ["pods"], verbs: ["watch"] }],
  },
  {
    purpose: "Evict pods as the last step of a drain, where that is requested.",
    isNeeded: ({ writes, evicts = true }) => writes && evicts,
    rules: [{ apiGroups: CORE, resources: ["pods/eviction"], verbs: ["create"] }],
  },
  {
    purpose: "Delete pods whatever their disruption budgets say, where a drain is requested with --disable-eviction.",
    isNeeded: ({ writes, evicts = true, deletesPods = false }) => writes && evicts && deletesPods,
    rules: [{ apiGroups: CORE, resources: ["pods"], verbs: ["delete"] }],
  },
  {
    purpose: "Find the node of a pod that another program evicts.",
    isNeeded: ({ gates }) => gates === true,
    rules: [{ apiGroups: CORE, resources: ["pods"], verbs: ["get"] }],
  },
  {
    purpose: "Report drains as Events of their nodes.",
    isNeeded: ({ writes }) => writes,
    rules: [{ apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create"] }],
  },
  {
    purpose: "Learn when Karpenter will terminate a node.",
    isNeeded: ({ watches }) => watches,
    rules: [{ apiGroups: ["karpenter.sh"], resources: ["nodeclaims"], verbs: ["get"] }],
  },
  {
    purpose: "Audit what would make drains lose requests (doctor).",
    isNeeded: ({ audits }) => audits === true,
    rules: [
      { apiGroups: CORE, resources: ["namespaces", "services"], verbs: ["list"] },
      { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"] },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list"] },
      { apiGroups: ["elbv2.k8s.aws"], resources: ["targetgroupbindings"], verbs: ["list"] },
      { apiGroups: ["karpenter.sh"], resources: ["nodepools"], verbs: ["list"] },
    ],
  },
  {
    purpose: "Check the tokens of callers, and what their users may do.",
    isNeeded: ({ reviewsTokens }) => reviewsTokens === true,
    rules: [
      { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
      { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
    ],
  },
];

const LEASES = { apiGroups: ["coordination.k8s.io"], resources: ["leases"] };

/** What replicas need, only in their own namespace. */
function namespaceFeatures(lease: string): readonly Feature[] {
  return [
    {
      purpose: "Elect the replica that acts on nodes. A name can't restrict what is created.",
      rules: [
        { ...LEASES, verbs: ["create"] },
        { ...LEASES, resourceNames: [lease], verbs: ["get", "update"] },
      ],
    },
    {
      purpose: `Keep the ledger of drains, in ConfigMaps named ${lease}-ledger-NUMBER.`,
      rules: [{ apiGroups: CORE, resources: ["configmaps"], verbs: ["get", "list", "create", "delete"] }],
    },
  ];
}

/** The minimum that RBAC must allow for these needs, feature by feature. */
function clusterFeatures(needs: ClusterNeeds): readonly ClusterFeature[] {
  return FEATURES.filter(({ isNeeded }) => isNeeded(needs));
}

/** The same rules in one list. */
export function clusterRules(needs: ClusterNeeds): readonly PolicyRule[] {
  return clusterFeatures(needs).flatMap(({ rules }) => rules);
}

/** The same for what replicas need in their namespace. */
export function namespaceRules(lease: string): readonly PolicyRule[] {
  return namespaceFeatures(lease).flatMap(({ rules }) => rules);
}

export interface RoleText {
  readonly needs: ClusterNeeds;
  /** The name of the role, its binding and the service account. */
  readonly name: string;
  /** The namespace of the service account. */
  readonly namespace: string;
  readonly printsServiceAccount: boolean;
}

/** The roles and their bindings as YAML for `kubectl apply`. Names must be valid in Kubernetes. */
export function roleText({ needs, name, namespace, printsServiceAccount }: RoleText): string {
  const account = ["apiVersion: v1", "kind: ServiceAccount", `metadata: { name: ${name}, namespace: ${namespace} }`];
  const { lease } = needs;
  const documents = [
    ...(printsServiceAccount ? [account] : []),
    ...roleAndBinding("ClusterRole", { name, namespace }, clusterFeatures(needs)),
    ...(lease === undefined ? [] : roleAndBinding("Role", { name, namespace }, namespaceFeatures(lease))),
  ];
  return documents.map((lines) => `${lines.join("\n")}\n`).join("---\n");
}

function roleAndBinding(
  kind: "Role" | "ClusterRole",
  { name, namespace }: Pick<RoleText, "name" | "namespace">,
  features: readonly Feature[],
): readonly (readonly string[])[] {
  const metadata = `metadata: { name: ${name}${kind === "Role" ? `, namespace: ${namespace}` : ""} }`;
  const apiVersion = "apiVersion: rbac.authorization.k8s.io/v1";
  const rules = features.flatMap(({ purpose, rules }) => [`  # ${purpose}`, ...rules.map(ruleText)]);
  return [
    [apiVersion, `kind: ${kind}`, metadata, "rules:", ...rules],
    [
      apiVersion,
      `kind: ${kind}Binding`,
      metadata,
      `roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ${kind}, name: ${name} }`,
      "subjects:",
      `  - { kind: ServiceAccount, name: ${name}, namespace: ${namespace} }`,
    ],
  ];
}

/** A list of JSON is a list of YAML. */
function ruleText({ apiGroups, resources, resourceNames, verbs }: PolicyRule): string {
  const [groups, kinds, actions, names] = [apiGroups, resources, verbs, resourceNames ?? []].map((list) =>
    JSON.stringify(list).replaceAll(",", ", "),
  );
  const named = resourceNames === undefined ? "" : `, resourceNames: ${names}`;
  return `  - { apiGroups: ${groups}, resources: ${kinds}${named}, verbs: ${actions} }`;
}
