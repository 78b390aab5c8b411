import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import type { Lease } from "../../src/kubernetes/lease.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import type { World } from "../../src/simulator/world/world.ts";
import { folder, kubeconfig } from "./api-client.ts";
import { CrashScene, type Service } from "./crash-scene.ts";
import { FakeApiServer } from "./fake-api-server.ts";
import { stateDir } from "./ledger-entries.ts";
import type { Environment } from "./program-run.ts";

const NODES = "/api/v1/nodes";
const NAMESPACE = "kube-system";
const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
const LEASE = "hasta-la-vista";

/** A replica of the service, and the node that it runs on. */
export interface Replica {
  readonly name: string;
  readonly service: Service;
}

/** The two nodes of a crash scene under traffic, in a cluster in which replicas of the service run. */
export class ReplicaScene {
  readonly crash: CrashScene;
  readonly api: FakeApiServer;
  readonly replicas: Replica[] = [];
  readonly #environment: Environment;

  readonly #cutOff = new Set<string>();

  private constructor(crash: CrashScene, api: FakeApiServer, environment: Environment) {
    this.crash = crash;
    this.api = api;
    this.#environment = environment;
    api.intercept = ({ headers }) => (this.#cutOff.has(String(headers.authorization)) ? "hang" : undefined);
  }

  /** From now on this replica gets no answer from the API server. */
  cutOff({ name }: Replica): void {
    this.#cutOff.add(`Bearer ${tokenOf(name)}`);
  }

  static async open(build?: (world: World) => void): Promise<ReplicaScene> {
    const crash = await CrashScene.open(build);
    const api = await FakeApiServer.start(crash.world.clock);
    for (const { id } of crash.world.instances.values())
      api.put(NODES, {
        metadata: { name: nodeName(id) },
        spec: { providerID: `aws:///eu-west-1a/${id}` },
      } as KubernetesObject);
    const cluster = { NODE_TRIGGERS: "none", LEASE, POD_NAMESPACE: NAMESPACE, POD_IP: "127.0.0.1" };
    return new ReplicaScene(crash, api, cluster);
  }

  /** One more replica, with a disk of its own. `node`: the instance that it runs on. */
  async start(more: Environment & { readonly node?: string } = {}): Promise<Replica> {
    const { node = "elsewhere", ...environment } = more;
    const name = `pod-${this.replicas.length + 1}`;
    const path = join(folder(), "config");
    const { url: server, ca } = this.api;
    writeFileSync(path, kubeconfig({ server, ca, user: { token: tokenOf(name) } }));
    this.api.tokens.add(tokenOf(name));
    const service = await this.crash.start({
      ...this.#environment,
      KUBERNETES: path,
      STATE_DIR: await stateDir(),
      POD_NAME: name,
      NODE_NAME: nodeName(node),
      ...environment,
    });
    const replica = { name, service };
    this.replicas.push(replica);
    return replica;
  }

  /** Ends the process at once when it is as `isTime` says. */
  async killWhen({ service }: Replica, isTime: () => boolean): Promise<void> {
    await vi.waitUntil(isTime, { timeout: 60_000, interval: 5 });
    service.child.signal("SIGKILL");
    await service.child.finished;
  }

  /** ConfigMaps that were created for the ledger. */
  get pieces(): number {
    const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
    return this.api.requests.filter((request) => request.method === "POST" && request.path === path).length;
  }

  /** Who holds the Lease, by the name of the pod. Empty: no replica does. */
  get holder(): string {
    const lease = this.api.stored(LEASES, LEASE) as Lease | undefined;
    return lease?.spec?.holderIdentity?.split("_")[0] ?? "";
  }

  /** Resolves with the replica that leads, once one of these does and answers. */
  async leader(among: readonly Replica[] = this.replicas): Promise<Replica> {
    try {
      return await vi.waitUntil(
        async () => {
          for (const replica of among) if (replica.name === this.holder && (await isReady(replica))) return replica;
          return undefined;
        },
        { timeout: 60_000, interval: 50 },
      );
    } catch {
      throw new Error(`no replica leads:\n${among.map(({ service }) => service.child.output).join("\n")}`);
    }
  }

  /** Resolves once this replica knows the leader. */
  async standsBy({ service }: Replica): Promise<void> {
    await vi.waitUntil(async () => "leader" in ((await service.read("/ready")) as object), {
      timeout: 60_000,
      interval: 50,
    });
  }
}

async function isReady({ service }: Replica): Promise<boolean> {
  const ready = (await service.read("/ready").catch(() => ({}))) as {
    readonly status?: unknown;
    readonly leader?: string;
  };
  return ready.status === "ready" && ready.leader === undefined;
}

/** By which the API server tells replicas apart. */
function tokenOf(pod: string): string {
  return `token-of-${pod}-of-the-test`;
}

function nodeName(instanceId: string): string {
  return `node-${instanceId}`;
}
