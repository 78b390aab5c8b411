import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import type { Traffic, TrafficResult } from "../../src/demo/traffic.ts";
import type { ApiServer } from "../../src/kubernetes/api-server.ts";
import type { Pod } from "../../src/kubernetes/objects.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { DataPlane } from "../../src/simulator/data-plane/data-plane.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { AutoScalingGroup } from "../../src/simulator/world/auto-scaling-group.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { clientOf, folder, kubeconfig } from "./api-client.ts";
import { NODES, nodeObject } from "./cluster-actors.ts";
import { ObservedWorld, runControllers } from "./cluster-scene.ts";
import { addPools, DELAYS_SECONDS, SHORT } from "./departure-pools.ts";
import { addNode, REQUESTS_AFTERWARDS, startTraffic } from "./departure-scene.ts";
import { FakeApiServer } from "./fake-api-server.ts";
import { restrictChildren } from "./printed-policy.ts";
import { runHere } from "./run-here.ts";
import { ServingPods, type TrafficPolicy } from "./serving-pods.ts";
import { never } from "./simulated-region.ts";

/** As often as `kubectl drain` looks whether the pods are gone. */
const LOOK_MS = 200;

export interface RollingSceneInput {
  readonly policy: TrafficPolicy;
  readonly nodes: number;
}

/**
 * A cluster whose nodes are drained from a terminal and replaced, one after the other: an Auto Scaling group that launches
 * a machine for each that goes, real controllers' rules for target groups and classic load balancer, real clients, and
 * pods that are evicted and made again on other nodes.
 */
export class RollingScene {
  readonly nodes: readonly Instance[];
  readonly #world: ObservedWorld;
  readonly #workers: AutoScalingGroup;
  readonly #api: ApiServer;
  readonly #pods: ServingPods;
  readonly #traffic: Traffic;
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(
    nodes: readonly Instance[],
    parts: {
      readonly world: ObservedWorld;
      readonly workers: AutoScalingGroup;
      readonly api: ApiServer;
      readonly pods: ServingPods;
      readonly traffic: Traffic;
      readonly environment: Readonly<Record<string, string>>;
    },
  ) {
    this.nodes = nodes;
    this.#world = parts.world;
    this.#workers = parts.workers;
    this.#api = parts.api;
    this.#pods = parts.pods;
    this.#traffic = parts.traffic;
    this.#environment = parts.environment;
  }

  static async open({ policy, nodes: count }: RollingSceneInput): Promise<RollingScene> {
    const clock = new ScaledClock(1);
    const world = new ObservedWorld({ clock, timing: SHORT.aws });
    const nodes = Array.from({ length: count }, (_, index) => addNode(world, index + 1));
    const pools = addPools(world, nodes, DELAYS_SECONDS);
    const instanceIds = nodes.map(({ id }) => id);
    const workers = world.addAutoScalingGroup({
      name: "workers",
      instanceIds,
      hooks: [],
      launchMs: 200,
      maxSize: 2 * count,
    });
    const fake = await FakeApiServer.start(clock);
    for (const instance of nodes) fake.put(NODES, nodeObject(instance));
    // The kubelet of a machine that was launched makes its Node object, and the cloud's controller deletes it.
    world.watch((change) => {
      if (change.type === "instance-started") fake.put(NODES, nodeObject(change.instance));
      if (change.type === "instance-terminated") fake.remove(NODES, change.instance.name);
    });
    const simulator = new Simulator(world);
    onTestFinished(() => simulator.close());
    const AWS_ENDPOINT_URL = await simulator.listen();
    restrictChildren(simulator, {}, { for: "drain" });
    const pods = new ServingPods(policy, { fake, world });
    const plane = await DataPlane.open(world, undefined, pods.start);
    onTestFinished(() => plane.close());
    pods.run(nodes);
    await runControllers(world, pools, fake);
    const traffic = startTraffic(plane, clock);
    const path = join(folder(), "config");
    writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca }));
    const environment = { AWS_ENDPOINT_URL, KUBERNETES: path, ...SHORT.allowances };
    const api = await clientOf(fake, clock);
    return new RollingScene(nodes, { world, workers, api, pods, traffic, environment });
  }

  /** `hasta-la-vista drain NODE --evict`. */
  async drain({ name }: Instance): Promise<void> {
    const { code, stdout, stderr } = await runHere(["drain", name, "--evict"], this.#environment);
    if (code !== 0) throw new Error(`drain of ${name} ended with ${code}:\n${stdout}${stderr}`);
  }

  /** What `kubectl drain NODE` does: cordon, evict, and wait until the pods are gone. */
  async kubectlDrain({ name }: Instance): Promise<void> {
    const api = this.#api;
    await api.mergePatch(`${NODES}/${name}`, { spec: { unschedulable: true } }, never);
    const query = { fieldSelector: `spec.nodeName=${name}` };
    const podsThere = async () => (await api.list<Pod>("/api/v1/pods", never, query)).items;
    for (const { metadata } of await podsThere()) {
      const path = `/api/v1/namespaces/${metadata?.namespace}/pods/${metadata?.name}/eviction`;
      await api.create(path, { apiVersion: "policy/v1", kind: "Eviction", metadata: { ...metadata } }, never);
    }
    while ((await podsThere()).length > 0) await this.#world.clock.sleep(LOOK_MS, never);
  }

  /** Terminates the machine as it stands, and resolves when another one serves in its place. */
  async replace(instance: Instance): Promise<void> {
    this.#world.beginScaleIn(this.#workers, instance);
    await this.#until(() => instance.terminatedAt !== undefined);
    await this.#until(() => this.#registered >= this.nodes.length && this.#pods.ready >= this.nodes.length);
  }

  /** Clients go on for a while. What all of them have got since the scene began. */
  async endTraffic(): Promise<TrafficResult> {
    const enough = this.#traffic.sent + REQUESTS_AFTERWARDS;
    await this.#until(() => this.#traffic.sent >= enough);
    return this.#traffic.stop();
  }

  /** How many machines that run are in every pool, past their registration. */
  get #registered(): number {
    const { targetGroups, classics, clock } = this.#world;
    const now = clock.now();
    const isIn = (state: string | undefined) => state !== undefined && state !== "draining" && state !== "initial";
    const listed = [...targetGroups.values()].map(
      (group) => group.listed(now).filter((target) => isIn(group.apiHealth(target, now).state)).length,
    );
    return Math.min(...listed, ...[...classics.values()].map((classic) => classic.registered(now).length));
  }

  async #until(isTime: () => boolean): Promise<void> {
    await vi.waitUntil(isTime, { timeout: 300_000, interval: 50 });
  }
}
