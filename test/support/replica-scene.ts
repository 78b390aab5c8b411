import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import type { Lease } from "../../src/kubernetes/lease.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import type { World } from "../../src/simulator/world/world.ts";
import { folder, kubeconfig } from "./api-client.ts";
import type { Child } from "./child-process.ts";
import { CrashScene, type Service } from "./crash-scene.ts";
import { FakeApiServer } from "./fake-api-server.ts";
import { stateDir } from "./ledger-entries.ts";
import type { Environment, Running } from "./program-run.ts";

const NODES = "/api/v1/nodes";
const NAMESPACE = "kube-system";
const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
const LEASE = "hasta-la-vista";

/** A replica of the service, and the node that it runs on. */
export interface Replica<Program extends Running = Running> {
  readonly name: string;
  readonly service: Service<Program>;
}

/** Options, and the instance that the replica runs on. */
export type ReplicaOptions = Environment & { readonly node?: string };

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

  /** One more replica as a process, with a disk of its own. */
  start(more: ReplicaOptions = {}): Promise<Replica<Child>> {
    return this.#add((environment) => this.crash.start(environment), more);
  }

  /** The same in this process, for tests in which it ends by SIGTERM or with the test. */
  startInside(more: ReplicaOptions = {}): Promise<Replica> {
    return this.#add((environment) => this.crash.startInside(environment), more);
  }

  async #add<Program extends Running>(
    start: (environment: Environment) => Promise<Service<Program>>,
    more: ReplicaOptions,
  ): Promise<Replica<Program>> {
    const { node = "elsewhere", ...environment } = more;
    const name = `pod-${this.replicas.length + 1}`;
    const path = join(folder(), "config");
    const { url: server, ca } = this.api;
    writeFileSync(path, kubeconfig({ server, ca, user: { token: tokenOf(name) } }));
    this.api.tokens.add(tokenOf(name));
    const service = await start({
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
  async killWhen({ service }: Replica<Child>, isTime: () => boolean): Promise<void> {
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
  async leader<Among extends Replica>(among?: readonly Among[]): Promise<Among>;
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
