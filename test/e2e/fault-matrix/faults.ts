import type { FaultEffect } from "../../../src/simulator/faults/fault.ts";
import { CALLS, type CallName, type MatrixCall } from "./calls.ts";

const SLOW_MS = 6_000;
/** Longer than until the first look after a deregistration: that one sees nothing of it. */
const STALE_MS = 15_000;

/** What somebody between us and AWS may answer with status 200, without having asked AWS. */
export const PROXY_PAGE = "<html><head><title>Sign in</title></head><body><p>Please sign in</p></body></html>";

type EffectOn = (call: MatrixCall) => FaultEffect;

const errorOf = (elb: string, ec2: string, status: number, ec2Status = status): EffectOn => {
  const [onElb, onEc2] = [
    { type: "error", code: elb, status } as const,
    { type: "error", code: ec2, status: ec2Status } as const,
  ];
  return ({ api }) => (api === "ec2" ? onEc2 : onElb);
};

/** What goes wrong, as each API says it. */
const EFFECTS = {
  throttled: errorOf("Throttling", "RequestLimitExceeded", 400, 503),
  "error 500": errorOf("InternalFailure", "InternalError", 500),
  "error 503": errorOf("ServiceUnavailable", "Unavailable", 503),
  "access denied": errorOf("AccessDenied", "UnauthorizedOperation", 403),
  "expired token": errorOf("ExpiredToken", "RequestExpired", 403, 400),
  /** AWS says so, though it is there. */
  "not found": ({ notFound: code, notFoundMessage: message }) => {
    return { type: "error", code, status: 400, ...(message === undefined ? {} : { message }) };
  },
  malformed: () => ({ type: "malformed" }),
  empty: () => ({ type: "empty" }),
  refused: () => ({ type: "refused" }),
  reset: () => ({ type: "reset" }),
  hang: () => ({ type: "hang" }),
  slow: () => ({ type: "latency", ms: SLOW_MS }),
  stale: () => ({ type: "stale", ms: STALE_MS }),
} as const satisfies Readonly<Record<string, EffectOn>>;

/**
 * `vanished`: the pool that the call names is deleted in the moment before. `proxy page`: the call does not get to AWS, and
 * is answered with status 200.
 */
export type FaultName = keyof typeof EFFECTS | "vanished" | "proxy page";

export const FAULTS = [...(Object.keys(EFFECTS) as (keyof typeof EFFECTS)[]), "vanished", "proxy page"] as const;

/** Whether a call can fail so. What no call names can't vanish before it; and only registrations are read stale. */
export function isPossible(fault: FaultName, name: CallName): boolean {
  const { api, namesPools }: MatrixCall = CALLS[name];
  const isOfEvents = api === "autoscaling" || api === "sqs";
  if (fault === "vanished") return namesPools;
  // What no field of an answer tells is the matter of calls that only act.
  if (fault === "proxy page") return isOfEvents;
  return fault !== "stale" || !isOfEvents;
}

/** Undefined where the simulator has none such. */
export function effectOf(fault: FaultName, name: CallName): FaultEffect | undefined {
  return fault === "vanished" || fault === "proxy page" ? undefined : EFFECTS[fault](CALLS[name]);
}
