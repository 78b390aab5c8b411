import { invalidArn, loadBalancerNotFound } from "../aws-error.ts";
import type { Clock } from "../clock.ts";
import { isArnOf } from "./arn.ts";
import type { Ids, NewListener, NewLoadBalancer, NewRule } from "./ids.ts";
import {
  DEFAULT_SSL_POLICY,
  defaultListenerAttributes,
  IDLE_TIMEOUT,
  isEncrypted,
  type Listener,
  LoadBalancer,
  type LoadBalancerType,
  type Rule,
} from "./load-balancer.ts";

const ARN_TYPES: Readonly<Record<LoadBalancerType, string>> = { application: "app", network: "net", gateway: "gwy" };

interface Surroundings {
  readonly clock: Clock;
  readonly region: string;
  readonly defaultZones: readonly string[];
  arn(service: "elasticloadbalancing", resource: string): string;
}

/** The load balancers of ELBv2, and which of them uses a target group. */
export class LoadBalancers {
  readonly byArn = new Map<string, LoadBalancer>();
  readonly #world: Surroundings;
  readonly #ids: Ids;
  /** By target group. The load balancer may no longer use the group, or may be deleted. */
  readonly #lastUserOf = new Map<string, LoadBalancer>();

  constructor(world: Surroundings, ids: Ids) {
    this.#world = world;
    this.#ids = ids;
  }

  add(input: NewLoadBalancer): LoadBalancer {
    const arn = this.#world.arn(
      "elasticloadbalancing",
      `loadbalancer/${ARN_TYPES[input.type]}/${input.name}/${this.#ids.next()}`,
    );
    const zones = input.zones ?? this.#world.defaultZones;
    const loadBalancer = new LoadBalancer({ ...input, arn, zones, createdAt: this.#world.clock.now() });
    this.byArn.set(arn, loadBalancer);
    return loadBalancer;
  }

  addListener(loadBalancer: LoadBalancer, input: NewListener): Listener {
    const arn = `${loadBalancer.arn.replace(":loadbalancer/", ":listener/")}/${this.#ids.next()}`;
    const { idleTimeoutSeconds, certificateArns = [], sslPolicy, alpnPolicy, ...settings } = input;
    const attributes = defaultListenerAttributes(loadBalancer.type, input.protocol);
    if (idleTimeoutSeconds !== undefined) attributes.set(IDLE_TIMEOUT, String(idleTimeoutSeconds));
    const listener: Listener = {
      ...settings,
      arn,
      defaultRuleArn: this.#ruleArn(arn),
      rules: [],
      tags: new Map(),
      attributes,
      certificateArns,
      sslPolicy: sslPolicy ?? (isEncrypted(input.protocol) ? DEFAULT_SSL_POLICY : undefined),
      alpnPolicy,
    };
    loadBalancer.listeners.push(listener);
    return listener;
  }

  addRule(listener: Listener, input: NewRule): Rule {
    const rule: Rule = { ...input, arn: this.#ruleArn(listener.arn), tags: new Map() };
    listener.rules.push(rule);
    return rule;
  }

  /** Throws AWS's error if there is none. */
  get(arn: string): LoadBalancer {
    const loadBalancer = this.byArn.get(arn);
    if (loadBalancer === undefined)
      throw isArnOf("loadbalancer", arn, this.#world) ? loadBalancerNotFound() : invalidArn(arn, "load balancer");
    return loadBalancer;
  }

  /** The load balancer that uses a group. AWS allows at most one. */
  userOf(groupArn: string): LoadBalancer | undefined {
    // Called once for each target. The last result is checked before hundreds of load balancers are searched.
    const last = this.#lastUserOf.get(groupArn);
    if (last !== undefined && this.byArn.get(last.arn) === last && last.uses(groupArn)) return last;
    const found = [...this.byArn.values()].find((loadBalancer) => loadBalancer.uses(groupArn));
    if (found !== undefined) this.#lastUserOf.set(groupArn, found);
    return found;
  }

  /** The target groups to which any listener or rule forwards. */
  usedGroups(): ReadonlySet<string> {
    return new Set([...this.byArn.values()].flatMap(({ groupArns }) => [...groupArns]));
  }

  #ruleArn(listenerArn: string): string {
    return `${listenerArn.replace(":listener/", ":listener-rule/")}/${this.#ids.next()}`;
  }
}
