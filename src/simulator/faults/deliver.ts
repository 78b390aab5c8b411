import type { ServerResponse } from "node:http";
import type { ApiAnswer } from "../api/answer.ts";
import type { Clock } from "../clock.ts";
import { type DeliveredAnswer, half } from "./delivery.ts";

/** Sends an answer over a socket, in the way that its delivery asks for. */
export async function deliver(answer: DeliveredAnswer, response: ServerResponse, clock: Clock): Promise<void> {
  const { status, headers, body, delivery } = answer;
  switch (delivery.type) {
    case "whole":
      if (delivery.delayMs === 0 || (await outlasts(response, delivery.delayMs, clock))) {
        response.writeHead(status, headers).end(body);
      }
      return;
    case "refused":
      response.socket?.resetAndDestroy();
      return;
    case "cut":
      response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
      response.write(half(body), () => response.socket?.resetAndDestroy());
      return;
    case "never":
      return;
    default:
      delivery satisfies never;
  }
}

/** The answer that a client of `deliver` would get, but without a socket. Rejects if its connection would break. */
export async function received(
  { delivery, ...answer }: DeliveredAnswer,
  clock: Clock,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  switch (delivery.type) {
    case "whole":
      if (delivery.delayMs > 0) await clock.sleep(delivery.delayMs, signal);
      return answer;
    case "refused":
      throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    case "cut":
      throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    case "never":
      return aborted(signal);
    default:
      return delivery satisfies never;
  }
}

/** Whether the client is still connected after `ms`. */
async function outlasts(response: ServerResponse, ms: number, clock: Clock): Promise<boolean> {
  const closed = new AbortController();
  const leave = () => closed.abort();
  response.once("close", leave);
  try {
    await clock.sleep(ms, closed.signal);
    return true;
  } catch {
    return false;
  } finally {
    response.off("close", leave);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
