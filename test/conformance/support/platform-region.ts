import { onTestFinished } from "vitest";
import type { ApiRequest } from "../../../src/simulator/api/answer.ts";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import type { DeliveredAnswer } from "../../../src/simulator/faults/delivery.ts";
import { Simulator } from "../../../src/simulator/simulator.ts";
import { World } from "../../../src/simulator/world/world.ts";
import { VPC } from "../../support/simulated-region.ts";

/** Names the calls that it does not know. */
class NamingSimulator extends Simulator {
  readonly unknown: string[] = [];

  override answer(request: ApiRequest): DeliveredAnswer {
    const answered = super.answer(request);
    if (answered.body.includes("not simulated"))
      this.unknown.push(new URLSearchParams(request.body).get("Action") ?? request.body);
    return answered;
  }
}

/**
 * What tools of platform teams find in an account: three nodes behind an ALB and a classic load balancer, of which two are
 * an Auto Scaling group's, and a group of an NLB that does not exist yet. Time passes `speed` times as fast.
 */
export async function platformRegion(speed = 1) {
  const world = new World({ clock: new ScaledClock(speed) });
  const nodes = [1, 2, 3].map((node) =>
    world.addInstance({
      id: `i-${String(node).padStart(17, "0")}`,
      vpcId: VPC,
      privateIp: `10.0.0.${node}`,
      tags: { "kubernetes.io/cluster/demo": "owned", ...(node === 3 ? { team: "none" } : {}) },
    }),
  );
  const ids = nodes.map(({ id }) => id);
  const group = (name: string, protocol: "HTTP" | "TCP") =>
    world.addTargetGroup({ name, vpcId: VPC, protocol, port: 30080, targetType: "instance" });
  const [web, flows] = [group("web", "HTTP"), group("flows", "TCP")];
  web.attributes.set("deregistration_delay.timeout_seconds", "30");
  const shop = world.addLoadBalancer({ name: "shop", type: "application", vpcId: VPC });
  const forward = { type: "forward", groups: [{ arn: web.arn, weight: 1 }] } as const;
  world.addListener(shop, { protocol: "HTTP", port: 80, defaultActions: [forward] });
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30080 }];
  const legacy = world.addClassic({ name: "legacy", vpcId: VPC, listeners });
  for (const id of ids) {
    world.registerTarget(web, { id }, { settled: true });
    world.registerClassic(legacy, id, { settled: true });
  }
  const workers = world.addAutoScalingGroup({
    ...{ name: "workers", instanceIds: ids.slice(0, 2), targetGroups: [web], launchMs: 1 },
    ...{ minSize: 0, maxSize: 5 },
  });
  const simulator = new NamingSimulator(world);
  onTestFinished(() => simulator.close());
  return { world, nodes, web, flows, shop, legacy, workers, simulator, url: await simulator.listen() };
}
