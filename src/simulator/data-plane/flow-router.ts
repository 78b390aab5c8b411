import { actionFor, chooseGroup, IDLE_TIMEOUT, type Listener } from "../world/load-balancer.ts";
import type { Target, TargetGroup } from "../world/target-group.ts";
import type { World } from "../world/world.ts";
import type { Clients } from "./clients.ts";
import type { InstanceProcesses } from "./instance-processes.ts";
import { type Cut, type Enter, type Passages, registrationOf } from "./passages.ts";

/** The source of the packets of a flow. All go to the same listener. */
export interface FlowSource {
  readonly protocol: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
}

/** Where a new flow goes. */
export type FlowRoute =
  | {
      readonly to: "target";
      /** The target's real port on 127.0.0.1, for the flow's protocol. Undefined if its machine is gone. */
      readonly port: number | undefined;
      readonly enter: Enter;
    }
  | { readonly to: "none" };

export interface FlowRouterParts {
  readonly processes: InstanceProcesses;
  readonly passages: Passages;
  readonly clients: Clients;
}

/**
 * For TLS listeners, and for GWLBs that identify flows by less than 5 values. For others it is the listener's
 * attribute.
 */
const FIXED_IDLE_MS = 350_000;

/** What a GWLB with stickiness takes for one flow. */
interface StickyFlow {
  readonly target: Target;
  /** Connections, and ports that send datagrams. */
  parts: number;
  /** After its last part has ended, in milliseconds since the epoch. */
  knownUntil: number;
}

/**
 * Decides where a new flow through an NLB or a GWLB goes. Both identify flows by protocol, addresses and ports, unless
 * stickiness of the group omits some of them.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#sticky-sessions
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html#flow-stickiness
 */
export class FlowRouter {
  readonly #world: World;
  readonly #processes: InstanceProcesses;
  readonly #passages: Passages;
  readonly #clients: Clients;
  readonly #sticky = new Map<string, StickyFlow>();

  constructor(world: World, { processes, passages, clients }: FlowRouterParts) {
    this.#world = world;
    this.#processes = processes;
    this.#passages = passages;
    this.#clients = clients;
  }

  /** The same source always reaches the same target, as long as the targets stay the same. */
  route(listener: Listener, source: FlowSource): FlowRoute {
    this.#world.catchUp();
    const group = this.#groupFor(listener, this.#clients.ticketOf(source.port, "group"));
    if (group === undefined) return { to: "none" };
    const tuple = tupleOf(group, source);
    const client = tuple === undefined ? source.port : numberOf(tuple);
    const key = tuple === undefined || group.protocol !== "GENEVE" ? undefined : `${group.arn} ${tuple}`;
    const target = this.#known(key) ?? this.#choose(group, client);
    if (target === undefined) return { to: "none" };
    const through = registrationOf(group, target);
    const machine = this.#clients.machineFor(client);
    const port = this.#processes.portOf(target.id, group.vpcId, source.protocol);
    const enter: Enter = (onCut) => this.#passages.enter(through, { machine, port, onCut });
    return { to: "target", port, enter: key === undefined ? enter : this.#sticking(key, target, source, enter) };
  }

  /** When a TCP flow through the listener is idle, and what happens to it then. */
  idleOf(type: "network" | "gateway", listener: Listener): { readonly ms: number; readonly cut: Cut } {
    const group = this.#groupFor(listener, 0);
    const isFixed = type === "gateway" && group !== undefined && group.attributes.get("stickiness.enabled") === "true";
    const seconds = listener.attributes.get(IDLE_TIMEOUT);
    const ms = isFixed || seconds === undefined ? FIXED_IDLE_MS : Number(seconds) * 1_000;
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/gateway-listeners.html#listener-attributes
    const resets = type === "network" || listener.attributes.get("send_tcp_reset.on_idle_timeout.enabled") === "true";
    return { ms, cut: resets ? "reset-when-used" : "silent" };
  }

  #groupFor(listener: Listener, ticket: number): TargetGroup | undefined {
    const action = actionFor(listener, { host: "", path: "/" });
    const arn = action?.type === "forward" ? chooseGroup(action.groups, ticket) : undefined;
    return this.#world.targetGroups.get(arn ?? "");
  }

  #choose(group: TargetGroup, client: number): Target | undefined {
    const { targets } = this.#clients.receiversOf(group, client, this.#world.clock.now());
    return targets[this.#clients.choose(client, "target", targets.length)];
  }

  /** The target of an existing flow, wherever new ones go. */
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
      return (ending) => {
        flow.parts -= 1;
        // When datagrams end by being idle, their time has passed already.
        flow.knownUntil = this.#world.clock.now() + (protocol === "tcp" ? FIXED_IDLE_MS : 0);
        leave(ending);
      };
    };
  }
}

/** What identifies the flow, if it is less than all values. */
function tupleOf({ attributes }: TargetGroup, { protocol, address }: FlowSource): string | undefined {
  if (attributes.get("stickiness.enabled") !== "true") return undefined;
  return attributes.get("stickiness.type") === "source_ip_dest_ip_proto" ? `${address} ${protocol}` : address;
}

/** A number for a text, in place of a port. */
function numberOf(text: string): number {
  let number = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) number = Math.imul(number ^ text.charCodeAt(at), 0x01000193);
  return number >>> 0;
}
