import type { KubernetesObject } from "./kubernetes-api.ts";
import type { KubernetesCluster } from "./kubernetes-cluster.ts";
import { type NodeObject, nodePath } from "./kubernetes-nodes.ts";
import { RunningKubernetesProgram } from "./kubernetes-programs.ts";
import { addKinds, startKwok, until } from "./kubernetes-workloads.ts";

const NODE_CLASSES = "/apis/karpenter.kwok.sh/v1alpha1/kwoknodeclasses";
const NODE_CLAIMS = "/apis/karpenter.sh/v1/nodeclaims";

/** Karpenter with the provider that makes nodes for kwok. */
export class Karpenter {
  readonly #cluster: KubernetesCluster;
  readonly #program: RunningKubernetesProgram;
  readonly #kwok: RunningKubernetesProgram;

  private constructor(cluster: KubernetesCluster, program: RunningKubernetesProgram, kwok: RunningKubernetesProgram) {
    this.#cluster = cluster;
    this.#program = program;
    this.#kwok = kwok;
  }

  /** Resolves when both run. Their kinds of objects are in the cluster then, and a node class `default`. */
  static async start(cluster: KubernetesCluster): Promise<Karpenter> {
    await addKinds(cluster, "karpenter");
    await cluster.api.apply(`${NODE_CLASSES}/default`, {
      apiVersion: "karpenter.kwok.sh/v1alpha1",
      kind: "KWOKNodeClass",
    });
    const kwok = await startKwok(cluster);
    const program = new RunningKubernetesProgram("karpenter", [], {
      KUBECONFIG: cluster.kubeconfig,
      DISABLE_LEADER_ELECTION: "true",
      // Any free ones: it binds them on all addresses, whatever it is told.
      METRICS_PORT: "0",
      HEALTH_PROBE_PORT: "0",
    });
    await program.line(/Starting workers.*nodeclaim\.lifecycle/);
    return new Karpenter(cluster, program, kwok);
  }

  get log(): string {
    return this.#program.output;
  }

  /** Asks for a machine, and resolves with its node once Karpenter takes it for initialized. */
  async addNode(claim: string, spec: Readonly<Record<string, unknown>> = {}): Promise<NodeObject> {
    const { api } = this.#cluster;
    await api.post(NODE_CLAIMS, {
      apiVersion: "karpenter.sh/v1",
      kind: "NodeClaim",
      metadata: { name: claim },
      spec: {
        nodeClassRef: { group: "karpenter.kwok.sh", kind: "KWOKNodeClass", name: "default" },
        requirements: [
          { key: "node.kubernetes.io/instance-type", operator: "In", values: ["c-2x-amd64-linux"] },
          { key: "karpenter.sh/capacity-type", operator: "In", values: ["on-demand"] },
        ],
        resources: { requests: { cpu: "1", pods: "10" } },
        ...spec,
      },
    });
    const hasCondition = ({ status }: NodeClaim, wanted: string) =>
      status?.conditions?.some(({ type, status }) => type === wanted && status === "True") === true;
    const claimOnce = (condition: string) =>
      until(`${claim} is ${condition}:\n${this.log}`, async () => {
        const found = await api.get<NodeClaim>(`${NODE_CLAIMS}/${claim}`);
        return hasCondition(found, condition) ? found : undefined;
      });
    const { status } = await claimOnce("Registered");
    const path = nodePath(status?.nodeName ?? "");
    // An admission plug-in gives the taint to every new node, and the controller that takes it away does not run.
    await until("the node's taint can be removed", async () => {
      const { metadata, spec } = await api.get<NodeObject>(path);
      const taints = spec.taints?.filter(({ key }) => key !== "node.kubernetes.io/not-ready");
      const { resourceVersion } = metadata;
      const patch = { metadata: { resourceVersion }, spec: { taints } };
      return await api.patch(path, patch).catch(() => undefined); // Karpenter has changed the node meanwhile.
    });
    await claimOnce("Initialized");
    return await api.get<NodeObject>(path);
  }

  /** Asks Karpenter to take the machine away, as its consolidation does. Resolves at once. */
  async deleteNode(claim: string): Promise<void> {
    await this.#cluster.api.delete(`${NODE_CLAIMS}/${claim}`);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#program.kill(), this.#kwok.kill()]);
  }
}

interface NodeClaim extends KubernetesObject {
  readonly status?: {
    readonly nodeName?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}
