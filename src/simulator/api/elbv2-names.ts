import { validationError } from "../aws-error.ts";
import type { LoadBalancerType } from "../world/load-balancer.ts";

const NAME_LENGTH_MAX = 32;

/** Returns the name. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html */
export function checkName(thing: "Load balancer" | "Target group", name: string): string {
  const refuse = (why: string) => validationError(`${thing} name '${name}' ${why}`);
  if (name.length > NAME_LENGTH_MAX) throw refuse(`cannot be longer than '${NAME_LENGTH_MAX}' characters`);
  if (!/^[a-zA-Z0-9-]+$/.test(name))
    throw refuse("can only contain characters that are alphanumeric characters or hyphens(-)");
  if (/^-|-$/.test(name)) throw refuse("cannot begin or end with a hyphen(-)");
  if (thing === "Load balancer" && name.startsWith("internal-")) throw refuse("cannot begin with 'internal-'");
  return name;
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html */
const LISTENER_PROTOCOLS: Readonly<Record<Exclude<LoadBalancerType, "gateway">, readonly string[]>> = {
  application: ["HTTP", "HTTPS"],
  network: ["TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"],
};

/** Returns the protocol. */
export function checkProtocol(type: Exclude<LoadBalancerType, "gateway">, protocol: string): string {
  const allowed = LISTENER_PROTOCOLS[type];
  if (allowed.includes(protocol)) return protocol;
  throw validationError(`Listener protocol '${protocol}' must be one of '${allowed.join(", ")}'`);
}
