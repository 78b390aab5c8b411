import { actionFor, chooseGroup, IDLE_TIMEOUT, type Listener } from "../world/load-balancer.ts";
import type { Target, TargetGroup } from "../world/target-group.ts";
import type { World } from "../world/world.ts";
import type { InstanceProcesses } from "./instance-processes.ts";
import type { Cut, Enter, Passages } from "./passages.ts";
import { flowHash, machineFor, numberOf, receiversOf, registrationKey } from "./spread.ts";

/** Where the packets of a flow come from. They all go to the same listener. */
export interface FlowSource {
  readonly protocol: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
}

/** Where a new flow goes. */
export type FlowRoute =
  | {
      readonly to: "target";
      /** The target's real port on 127.0.0.1, of the flow's protocol; undefined when its machine is gone. */
      readonly port: number | undefined;
      readonly enter: Enter;
    }
  | { readonly to: "none" };

/** Of TLS listeners, and of GWLBs that tell flows apart by less than 5 values. Of others it is the listener's attribute. */
const FIXED_IDLE_MS = 350_000;

/** All that a GWLB with stickiness takes for one flow. */
interface StickyFlow {
  readonly target: Target;
  /** Connections, and ports that send datagrams. */
  parts: number;
  /** Once it has no parts, in milliseconds since the epoch. */
  knownUntil: number;
}

/**
 * Where a new flow through an NLB or a GWLB goes. Both tell flows apart by protocol, addresses and ports, unless stickiness
 * of the group leaves some of them out.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#sticky-sessions
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html#flow-stickiness
 */
export class FlowRouter {
  readonly #world: World;
  readonly #processes: InstanceProcesses;
  readonly #passages: Passages;
  readonly #sticky = new Map<string, StickyFlow>();

  constructor(world: World, processes: InstanceProcesses, passages: Passages) {
    this.#world = world;
    this.#processes = processes;
    this.#passages = passages;
  }

  /** The same source always reaches the same target, as long as the targets stay the same. */
  route(listener: Listener, source: FlowSource): FlowRoute {
    this.#world.catchUp();
    const group = this.#groupFor(listener, source);
    if (group === undefined) return { to: "none" };
    const tuple = tupleOf(group, source);
    const client = tuple === undefined ? source.port : numberOf(tuple);
    const key = tuple === undefined || group.protocol !== "GENEVE" ? undefined : `${group.arn} ${tuple}`;
    const target = this.#known(key) ?? this.#choose(group, client);
    if (target === undefined) return { to: "none" };
    const through = registrationKey(group, target);
    const machine = machineFor(client);
    const port = this.#processes.portOf(target.id, group.vpcId, source.protocol);
    const enter: Enter = (onCut) => this.#passages.enter(through, { machine, port, onCut });
    return { to: "target", port, enter: key === undefined ? enter : this.#sticking(key, target, source, enter) };
  }

  /** When a TCP flow through the listener is idle, and what becomes of it then. */
  idleOf(type: "network" | "gateway", listener: Listener): { readonly ms: number; readonly cut: Cut } {
    const group = this.#groupFor(listener, { protocol: "tcp", address: "", port: 0 });
    const isFixed = type === "gateway" && group !== undefined && group.attributes.get("stickiness.enabled") === "true";
    const seconds = listener.attributes.get(IDLE_TIMEOUT);
    const ms = isFixed || seconds === undefined ? FIXED_IDLE_MS : Number(seconds) * 1_000;
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/gateway-listeners.html#listener-attributes
    const resets = type === "network" || listener.attributes.get("send_tcp_reset.on_idle_timeout.enabled") === "true";
    return { ms, cut: resets ? "reset-when-used" : "silent" };
  }

  #groupFor(listener: Listener, { port }: FlowSource): TargetGroup | undefined {
    const action = actionFor(listener, { host: "", path: "/" });
    const arn = action?.type === "forward" ? chooseGroup(action.groups, flowHash(port, "group")) : undefined;
    return this.#world.targetGroups.get(arn ?? "");
  }

  #choose(group: TargetGroup, client: number): Target | undefined {
    const { targets } = receiversOf(group, client, this.#world.clock.now());
    return targets[flowHash(client, "target") % Math.max(1, targets.length)];
  }

  /** The target of a flow that there is already, wherever new ones go. */
  #known(key: string | undefined): Target | undefined {
    const flow = this.#sticky.get(key ?? "");
    if (key === undefined || flow === undefined) return undefined;
    if (flow.parts > 0 || this.#world.clock.now() < flow.knownUntil) return flow.target;
    this.#sticky.delete(key);
    return undefined;
  }

  #sticking(key: string, target: Target, { protocol }: FlowSource, enter: Enter): Enter {
    return (onCut) => {
      const flow = this.#sticky.get(key) ?? { target, parts: 0, knownUntil: 0 };
      this.#sticky.set(key, flow);
      flow.parts += 1;
      const leave = enter((cut) => {
        // All of it moves at once.
        if (cut === "moved" && this.#sticky.get(key) === flow) this.#sticky.delete(key);
        onCut(cut);
      });
      return () => {
        flow.parts -= 1;
        // Datagrams were not sent for so long already that this part of it has ended.
        flow.knownUntil = this.#world.clock.now() + (protocol === "tcp" ? FIXED_IDLE_MS : 0);
        leave();
      };
    };
  }
}

/** What tells the flow from others, where that is not all there is. */
function tupleOf({ attributes }: TargetGroup, { protocol, address }: FlowSource): string | undefined {
  if (attributes.get("stickiness.enabled") !== "true") return undefined;
  return attributes.get("stickiness.type") === "source_ip_dest_ip_proto" ? `${address} ${protocol}` : address;
}
