import type { FaultEffect } from "../../../src/simulator/faults/fault.ts";
import type { MatrixCall } from "./calls.ts";

const SLOW_MS = 6_000;
/** Longer than until the first look after a deregistration: that one sees nothing of it. */
const STALE_MS = 15_000;

type EffectOn = (call: MatrixCall) => FaultEffect;

const errorOf = (elb: string, ec2: string, status: number, ec2Status = status): EffectOn => {
  const [onElb, onEc2] = [
    { type: "error", code: elb, status } as const,
    { type: "error", code: ec2, status: ec2Status } as const,
  ];
  return ({ api }) => (api === "ec2" ? onEc2 : onElb);
};

/** What goes wrong, as each API says it. */
export const EFFECTS = {
  throttled: errorOf("Throttling", "RequestLimitExceeded", 400, 503),
  "error 500": errorOf("InternalFailure", "InternalError", 500),
  "error 503": errorOf("ServiceUnavailable", "Unavailable", 503),
  "access denied": errorOf("AccessDenied", "UnauthorizedOperation", 403),
  "expired token": errorOf("ExpiredToken", "RequestExpired", 403, 400),
  /** AWS says so, though it is there. */
  "not found": ({ notFound: code }) => ({ type: "error", code, status: 400 }),
  malformed: () => ({ type: "malformed" }),
  empty: () => ({ type: "empty" }),
  refused: () => ({ type: "refused" }),
  reset: () => ({ type: "reset" }),
  hang: () => ({ type: "hang" }),
  slow: () => ({ type: "latency", ms: SLOW_MS }),
  stale: () => ({ type: "stale", ms: STALE_MS }),
} as const satisfies Readonly<Record<string, EffectOn>>;

/** `vanished`: the pool that the call names is deleted in the moment before. */
export type FaultName = keyof typeof EFFECTS | "vanished";

export const FAULTS = [...(Object.keys(EFFECTS) as (keyof typeof EFFECTS)[]), "vanished"] as const;
