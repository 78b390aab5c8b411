import { clusterRules } from "../../src/kubernetes/rbac.ts";
import { startAwsByProxy } from "../../test/conformance/support/aws-by-proxy.ts";
import type { KubernetesCluster } from "../../test/conformance/support/kubernetes-cluster.ts";
import { programPath, RunningKubernetesProgram } from "../../test/conformance/support/kubernetes-programs.ts";
import { Collector } from "../../test/support/collector.ts";
import type { AtEnd } from "../../test/support/real-queue.ts";
import { ServiceProcess } from "../soak/service-process.ts";
import type { Side } from "./side.ts";

export const OUR_HOOK = "drain";
/** As `lifecycle-manager enroll` names them. */
export const THEIR_HOOK = "lifecycle-manager";
export const THEIR_QUEUE = "lifecycle-manager-queue";
/** Calls a second in the background. The default, 1, takes some minutes to learn of all pools. */
const INDEX_RATE = 5;
const WARM_EVERY_MS = 500;
const NEVER = new AbortController().signal;
const REGION = "eu-west-1";

/** What its example manifest allows, and the right to delete nodes, which it needs since 0.6.1. */
const THEIR_ROLE = [
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "patch", "delete"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
  { apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"] },
  { apiGroups: ["extensions", "apps"], resources: ["daemonsets"], verbs: ["get"] },
  { apiGroups: [""], resources: ["events"], verbs: ["get", "list", "create"] },
];

export interface StartInput {
  readonly side: Side;
  readonly cluster: KubernetesCluster;
  readonly atEnd: AtEnd;
}

/** A program under way, which has learnt what it learns before there is anything to do. */
export interface Started {
  /** Ends it. Resolves with what is known of calls by their request ids: what each was for. */
  stop(): Promise<ReadonlyMap<string, string>>;
}

/** lifecycle-manager, unmodified, with its defaults. It has no option for AWS's endpoints: they are given to it by a proxy. */
export async function startLifecycleManager({ side, cluster, atEnd }: StartInput): Promise<Started> {
  const proxy = await startAwsByProxy({ sqs: side.queue.endpoint, others: side.endpoint });
  atEnd(() => proxy.stop());
  const token = await cluster.tokenFor("lifecycle-manager", THEIR_ROLE);
  const kubeconfig = cluster.kubeconfigFor("lifecycle-manager", token);
  const program = new RunningKubernetesProgram(
    "lifecycle-manager",
    [
      ...["serve", `--region=${REGION}`, `--queue-name=${THEIR_QUEUE}`],
      ...[`--local-mode=${kubeconfig}`, `--kubectl-path=${programPath("kubectl")}`],
    ],
    {
      KUBECONFIG: kubeconfig,
      HTTPS_PROXY: proxy.url,
      SSL_CERT_FILE: cluster.writeFile(`aws-${side.node.id}.crt`, proxy.ca),
      AWS_ACCESS_KEY_ID: "lifecycle-manager",
      AWS_SECRET_ACCESS_KEY: "lifecycle-manager",
    },
  );
  atEnd(() => program.kill());
  await program.line(/starting metrics server/);
  return {
    async stop() {
      await program.kill();
      return new Map();
    },
  };
}

/** The built service with its defaults, but for INDEX_RATE. Its traces tell which calls its drain has made. */
export async function startProduct({ side, cluster, atEnd }: StartInput): Promise<Started> {
  const collector = new Collector();
  const token = await cluster.tokenFor("hasta-la-vista", clusterRules({ writes: true, watches: true }));
  const service = await ServiceProcess.start({
    ...{ SECRET: "not-asked-for-here", CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0" },
    ...{ AWS_REGION: REGION, AWS_ENDPOINT_URL: side.endpoint, AWS_ACCESS_KEY_ID: "product" },
    ...{ AWS_SECRET_ACCESS_KEY: "product", QUEUE: side.queue.url, TERMINATION_HOOK: OUR_HOOK },
    ...{ KUBERNETES: cluster.kubeconfigFor("hasta-la-vista", token), INDEX_RATE: String(INDEX_RATE), UNDO: "true" },
    OTEL_EXPORTER_OTLP_ENDPOINT: await collector.listen(atEnd),
  });
  atEnd(() => service.kill());
  await untilWarm(side);
  return {
    async stop() {
      await service.stop();
      return purposesIn(collector.received.map(({ body }) => body).join(""));
    },
  };
}

/** Resolves when every group has been read, and its attributes too. */
async function untilWarm({ simulator, region }: Side): Promise<void> {
  // By group: the check of the service's permissions makes such calls, too, with names that do not exist.
  const groupsOf = (action: string) =>
    new Set(simulator.recorded.filter((call) => call.action.endsWith(action)).map(({ group }) => group));
  const isWarm = () =>
    [":DescribeTargetHealth", ":DescribeTargetGroupAttributes"].every((action) => {
      const read = groupsOf(action);
      return [...region.world.targetGroups.keys()].every((arn) => read.has(arn));
    });
  while (!isWarm()) await region.world.clock.sleep(WARM_EVERY_MS, NEVER);
}

/** Of each call in these spans, by its request id. A call for a hook has no purpose in its span: it is `hook`. */
function purposesIn(spans: string): ReadonlyMap<string, string> {
  // Protobuf: the key of an attribute, then two lengths before its text.
  const text = "\\x12[\\s\\S]\\x0a[\\s\\S]";
  const found = spans.matchAll(
    new RegExp(
      `aws\\.request_id${text}([0-9a-f-]{36})(?:(?!aws\\.request_id)[\\s\\S])*?(?:call\\.purpose${text}([a-z]+)|(?=aws\\.request_id)|$)`,
      "g",
    ),
  );
  return new Map([...found].map(([, id = "", purpose = "hook"]) => [id, purpose]));
}
