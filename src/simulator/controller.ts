import type { AutoScalingGroup } from "./world/auto-scaling-group.ts";
import type { ClassicLoadBalancer } from "./world/classic-load-balancer.ts";
import type { TargetDescription, TargetGroup } from "./world/target-group.ts";
import type { World } from "./world/world.ts";

export interface ControllerInput {
  readonly intervalMs: number;
  /** The targets that must be registered. A real controller reads them from the cluster's endpoints. */
  readonly targetGroups?: readonly { readonly group: TargetGroup; readonly targets: readonly TargetDescription[] }[];
  readonly classics?: readonly {
    readonly loadBalancer: ClassicLoadBalancer;
    readonly instanceIds: readonly string[];
  }[];
  /**
   * Auto Scaling groups whose instances must be registered too, in every listed pool except target groups of type ip.
   */
  readonly autoScalingGroups?: readonly AutoScalingGroup[];
}

/**
 * Registers missing targets again, as the AWS Load Balancer Controller and cloud-provider-aws do. Both regard a
 * draining target as missing. They ignore excluded nodes (`World.excluded`) and nodes that do not run.
 * https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/targetgroupbinding/resource_manager.go
 *
 * It reads the state that the API shows. If the API lags, the controller may be late, as real ones are.
 */
export class Controller {
  readonly #world: World;
  readonly #input: ControllerInput;

  constructor(world: World, input: ControllerInput) {
    this.#world = world;
    this.#input = input;
  }

  /** Reconciles after every interval of the world's clock. Resolves when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#world.clock.sleep(this.#input.intervalMs, signal).catch(() => {}); // Aborted: the loop ends.
      if (!signal.aborted) this.reconcile();
    }
  }

  /** Reconciles once, now. */
  reconcile(): void {
    const { targetGroups = [], classics = [] } = this.#input;
    this.#world.catchUp();
    const now = this.#world.clock.now();
    const members = this.#members(now);
    for (const { group, targets } of targetGroups) {
      const nodes = group.targetType === "instance" ? members.map((id) => ({ id })) : [];
      for (const target of [...targets, ...nodes]) {
        if (this.#isDesired(target.id, group.vpcId) && !isInPlace(group, target, now))
          this.#world.registerTarget(group, target);
      }
    }
    for (const { loadBalancer, instanceIds } of classics) {
      const registered = new Set(loadBalancer.registered(now));
      for (const id of [...instanceIds, ...members]) {
        if (this.#isDesired(id) && !registered.has(id)) this.#world.registerClassic(loadBalancer, id);
      }
    }
  }

  #members(now: number): readonly string[] {
    const { autoScalingGroups = [] } = this.#input;
    return autoScalingGroups.flatMap((group) => group.members(now).map(({ instance }) => instance.id));
  }

  /** An address that belongs to no instance is the address of a pod elsewhere. It stays desired. */
  #isDesired(targetId: string, vpcId?: string): boolean {
    const instance = this.#world.machineOf(targetId, vpcId);
    return instance === undefined || (this.#world.isRunning(instance.id) && !this.#world.excluded.has(instance.id));
  }
}

function isInPlace(group: TargetGroup, description: TargetDescription, now: number): boolean {
  const target = group.named(description, now);
  return target !== undefined && group.apiHealth(target, now).state !== "draining";
}
