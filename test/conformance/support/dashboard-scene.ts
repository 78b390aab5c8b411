import { onTestFinished } from "vitest";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import { Simulator } from "../../../src/simulator/simulator.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../../src/simulator/world/target-group.ts";
import { World } from "../../../src/simulator/world/world.ts";
import { startService } from "../../support/child-process.ts";
import { EntriesOf } from "../../support/ledger-entries.ts";
import { VPC } from "../../support/simulated-region.ts";

export const SECRET = "kept-from-the-page-and-its-url";

/** A region with nodes in four pools each, and the built service before it. Time is real: holds last for minutes. */
export class DashboardScene {
  readonly nodes: readonly Instance[];
  readonly simulator: Simulator;
  readonly #environment: Readonly<Record<string, string>>;
  #service: Awaited<ReturnType<typeof startService>> | undefined;

  private constructor(simulator: Simulator, nodes: readonly Instance[], environment: Readonly<Record<string, string>>) {
    this.nodes = nodes;
    this.simulator = simulator;
    this.#environment = environment;
  }

  /** `name`: of the pools, in place of short ones. */
  static async open({
    nodes: count,
    name = "",
    environment = {},
    port = "0",
  }: {
    readonly nodes: number;
    readonly name?: string;
    readonly environment?: Readonly<Record<string, string>>;
    readonly port?: string;
  }): Promise<DashboardScene> {
    const world = new World({ clock: new ScaledClock(1), timing: { classicDeregistration: [0, 0] } });
    const nodes = Array.from({ length: count }, (_, index) =>
      world.addInstance({
        id: `i-${(index + 1).toString(16).padStart(17, "0")}`,
        vpcId: VPC,
        privateIp: `10.0.${index >> 8}.${index & 255}`,
        tags: { "kubernetes.io/cluster/shop": "owned" },
      }),
    );
    const groups = [
      addGroup(world, `${name}checkout`, "application", 300),
      addGroup(world, `${name}search`, "application", 60),
      addGroup(world, `${name}ingress`, "network", 120),
    ];
    const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30_080 }];
    const classic = world.addClassic({ name: `${name}legacy`, vpcId: VPC, listeners });
    classic.draining = { enabled: true, timeoutSeconds: 90 };
    for (const { id } of nodes) {
      for (const group of groups) world.registerTarget(group, { id }, { settled: true });
      classic.register(id, world.clock.now(), { settled: true });
    }
    const simulator = new Simulator(world);
    const AWS_ENDPOINT_URL = await simulator.listen();
    onTestFinished(() => simulator.close());
    const settings = { SECRET, PORT: port, CLUSTERNAME: "shop", AWS_ENDPOINT_URL, ...environment };
    const scene = new DashboardScene(simulator, nodes, settings);
    await scene.start();
    return scene;
  }

  /** Whether AWS shows the node as registered nowhere. */
  isOut({ id }: Instance): boolean {
    const { targetGroups, classics, clock } = this.simulator.world;
    const isLive = (group: TargetGroup) =>
      group
        .listed(clock.now())
        .some((target) => target.id === id && group.apiHealth(target, clock.now()).state !== "draining");
    return ![...targetGroups.values()].some(isLive) && ![...classics.values()].some((one) => one.isRegistered(id));
  }

  get url(): string {
    return this.#service?.url ?? "";
  }

  /** Starts the service, again where it has ended. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#service = await startService({ ...this.#environment, ...more });
  }

  /** The service is gone at once. */
  async kill(): Promise<void> {
    this.#service?.child.signal("SIGKILL");
    await this.#service?.child.finished;
  }

  /** Requests drains, and resolves when they have begun. */
  async drain(nodes: readonly Pick<Instance, "id">[], more: object = {}): Promise<readonly number[]> {
    return Promise.all(
      nodes.map(async ({ id }) => {
        const headers = { authorization: `Bearer ${SECRET}` };
        const body = JSON.stringify({ id, wait: false, ...more });
        return (await fetch(`${this.url}/drain`, { method: "POST", headers, body })).status;
      }),
    );
  }
}

function addGroup(world: World, name: string, type: "application" | "network", delaySeconds: number): TargetGroup {
  const protocol = type === "network" ? "TCP" : "HTTP";
  const group = world.addTargetGroup({ name, vpcId: VPC, protocol, port: 30_080, targetType: "instance" });
  group.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
  const loadBalancer = world.addLoadBalancer({ name: `${name}-lb`, type, vpcId: VPC });
  const defaultActions = [{ type: "forward" as const, groups: [{ arn: group.arn, weight: 1 }] }];
  world.addListener(loadBalancer, { protocol, port: 80, defaultActions });
  return group;
}

/** A ledger of drains that have ended in the last days, of one target each. `now`: in milliseconds since the epoch. */
export function pastDrains(count: number, now: number): string {
  const lines = Array.from({ length: count }, (_, number) => {
    const startedAt = now - (count - number) * 30_000;
    const id = `i-${(0xabc0000 + number).toString(16).padStart(17, "0")}`;
    const entries = new EntriesOf(`d-${number.toString(16).padStart(10, "0")}`, startedAt, id);
    return entries.whole();
  });
  return lines
    .flat()
    .map((entry) => `${JSON.stringify(entry)}\n`)
    .join("");
}
