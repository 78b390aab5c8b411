import type { ApiAnswer } from "../api/answer.ts";
import type { FaultEffect } from "./fault.ts";

/** How an answer reaches its client. */
type Delivery =
  | { readonly type: "whole"; readonly delayMs: number }
  /** There is no connection. */
  | { readonly type: "refused" }
  /** Half of the answer, and then a reset. */
  | { readonly type: "cut" }
  | { readonly type: "never" };

/** An answer on its way. Every transport, on a socket or without one, must follow `delivery`. */
export interface DeliveredAnswer extends ApiAnswer {
  readonly delivery: Delivery;
}

/** The effect of a fault on an answer. An error is an answer already. */
export function deliveryOf(answer: ApiAnswer, effect: FaultEffect | undefined): DeliveredAnswer {
  switch (effect?.type) {
    case undefined:
    case "error":
    case "stale":
      return { ...answer, delivery: { type: "whole", delayMs: 0 } };
    case "latency":
      return { ...answer, delivery: { type: "whole", delayMs: effect.ms } };
    case "refused":
      return { ...answer, delivery: { type: "refused" } };
    case "reset":
      return { ...answer, delivery: { type: "cut" } };
    case "hang":
      return { ...answer, delivery: { type: "never" } };
    case "malformed":
      return { ...answer, body: half(answer.body), delivery: { type: "whole", delayMs: 0 } };
    case "empty":
      return { ...answer, status: 200, body: "", delivery: { type: "whole", delayMs: 0 } };
    default:
      return effect satisfies never;
  }
}

export function half(body: string): string {
  return body.slice(0, Math.ceil(body.length / 2));
}
