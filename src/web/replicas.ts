import type { MiddlewareHandler } from "hono";

/** A request of another replica: its own, or one that it has passed on for a caller. */
export interface OfReplica {
  /** The other process, as the election knows it. */
  readonly from: string;
  /** The node that it runs on, by its name in Kubernetes. */
  readonly node?: string | undefined;
  /** The address of the caller. Absent: the request is the replica's own. */
  readonly client?: string | undefined;
}

declare module "hono" {
  interface ContextVariableMap {
    ofReplica?: OfReplica;
  }
}

/** The other replicas of a service, for its apps. What implements it is loaded only where there are some. */
export interface Replicas {
  /** Knows their requests: `context.get("ofReplica")`. See `knowReplicas`. */
  readonly know: MiddlewareHandler;
  /** See `Relay`. */
  readonly relay: MiddlewareHandler;
}

/** Lets every request through. */
const passOn: MiddlewareHandler = (_, next) => next();

/** A process that is the only one. */
export const ALONE: Replicas = { know: passOn, relay: passOn };

/** On an answer to another replica: ask the next leader. */
export const NOT_LEADER_HEADER = "hasta-la-vista-not-leader";

/** Whether another replica was told to ask the next leader: nothing came of its request. */
export function isPassedOver(answer: Response): boolean {
  return answer.headers.has(NOT_LEADER_HEADER);
}
