/**
 * The labels by which people tell pools apart: in reports, plans, metrics and the ledger. The core goes by a pool's terms,
 * never by its label, so this list is all that it knows of load balancers. A cloud adds its own labels here.
 *
 * `unattached`: no load balancer uses the pool. `unknown`: a kind that this program does not know, or load balancers of
 * several kinds.
 */
export const LOAD_BALANCER_KINDS = ["alb", "nlb", "gwlb", "classic", "unknown", "unattached"] as const;

export type LoadBalancerKind = (typeof LOAD_BALANCER_KINDS)[number];

/** What is of such a kind. */
interface OfKind {
  readonly registration: { readonly pool: { readonly kind: LoadBalancerKind } };
}

/** The order in which people read them: by kind of load balancer, not by the time of finding. */
export function inOrder<T extends OfKind>(list: readonly T[]): readonly T[] {
  return LOAD_BALANCER_KINDS.flatMap((kind) => list.filter(({ registration }) => registration.pool.kind === kind));
}
