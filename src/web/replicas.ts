import type { MiddlewareHandler } from "hono";

/** A request of another replica: its own, or one that it passes on for a caller. */
export interface OfReplica {
  /** The identity of the other process in the election. */
  readonly from: string;
  /** The Kubernetes name of the node that it runs on. */
  readonly node?: string | undefined;
  /** The address of the caller. Absent: the request is the replica's own. */
  readonly client?: string | undefined;
}

declare module "hono" {
  interface ContextVariableMap {
    ofReplica?: OfReplica;
  }
}

/** The other replicas of a service, for its apps. The implementation is loaded only if there are some. */
export interface Replicas {
  /** Recognizes their requests: `context.get("ofReplica")`. See `knowReplicas`. */
  readonly know: MiddlewareHandler;
  /** See `Relay`. */
  readonly relay: MiddlewareHandler;
}

/** Lets every request pass. */
const passOn: MiddlewareHandler = (_, next) => next();

/** A process that is the only one. */
export const ALONE: Replicas = { know: passOn, relay: passOn };

/** On an answer to another replica: send the request to the next leader. */
export const NOT_LEADER_HEADER = "hasta-la-vista-not-leader";

/** Whether the other replica is to send its request to the next leader, because it had no effect here. */
export function isPassedOver(answer: Response): boolean {
  return answer.headers.has(NOT_LEADER_HEADER);
}
