import type { LeaderRecord } from "../drain/leadership.ts";
import type { KubernetesObject } from "./objects.ts";

/** `coordination.k8s.io/v1`. The shape of what the API server sends is not guaranteed. */
export interface Lease extends KubernetesObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/**
 * The defaults of Kubernetes' own components: a holder that does not renew for `LEASE_DURATION_MS` is replaced, and
 * stops by itself `RENEW_DEADLINE_MS` after its last renewal.
 * https://pkg.go.dev/k8s.io/client-go/tools/leaderelection#LeaderElectionConfig
 */
export const LEASE_DURATION_MS = 15_000;
export const RENEW_DEADLINE_MS = 10_000;
export const RETRY_PERIOD_MS = 2_000;

const ADDRESS = "hasta-la-vista.io/address";
const FINGERPRINT = "hasta-la-vista.io/certificate-sha256";
const TEXT_CHARACTERS_MAX = 1_000;
/** A longer lease is ignored: it would be a mistake that keeps all replicas waiting. */
const DURATION_MAX_MS = 600_000;

export function holderOf({ spec }: Lease): string {
  return textOf(spec?.holderIdentity) ?? "";
}

export function durationMsOf({ spec }: Lease): number {
  const ms = Number(spec?.leaseDurationSeconds) * 1_000;
  return ms > 0 && ms <= DURATION_MAX_MS ? ms : LEASE_DURATION_MS;
}

/** How often the holder of the lease has changed. */
export function transitionsOf({ spec }: Lease): number {
  const { leaseTransitions } = spec ?? {};
  return Number.isSafeInteger(leaseTransitions) ? Number(leaseTransitions) : 0;
}

/** The fields that a renewal changes, which show whether the holder is alive. */
export function recordOf({ spec }: Lease): string {
  return JSON.stringify(spec ?? {});
}

export function leaderOf(lease: Lease): LeaderRecord {
  const annotations = lease.metadata?.annotations ?? {};
  const [address, fingerprint] = [textOf(annotations[ADDRESS]), textOf(annotations[FINGERPRINT])];
  return {
    identity: holderOf(lease),
    ...(address !== undefined && { address }),
    ...(fingerprint !== undefined && { fingerprint }),
  };
}

/** The lease held by `self`. `acquires`: another process held it before. */
export function heldBy(lease: Lease, self: LeaderRecord, at: number, acquires: boolean): Lease {
  const { metadata, spec } = lease;
  const annotations = {
    ...metadata?.annotations,
    [ADDRESS]: self.address,
    [FINGERPRINT]: self.fingerprint,
  };
  const now = microTime(at);
  return {
    ...lease,
    metadata: { ...metadata, annotations: present(annotations) },
    spec: {
      ...spec,
      holderIdentity: self.identity,
      leaseDurationSeconds: LEASE_DURATION_MS / 1_000,
      renewTime: now,
      ...(acquires && { acquireTime: now }),
    },
  };
}

/** Held by no process, as client-go leaves it. The next process that reads it may take it. */
export function released(lease: Lease, at: number): Lease {
  const { metadata, spec } = lease;
  const { [ADDRESS]: _, [FINGERPRINT]: __, ...annotations } = metadata?.annotations ?? {};
  const now = microTime(at);
  return {
    ...lease,
    metadata: { ...metadata, annotations },
    spec: { ...spec, holderIdentity: "", leaseDurationSeconds: 1, acquireTime: now, renewTime: now },
  };
}

/** Go accepts a `MicroTime` only with six digits after the point. */
function microTime(at: number): string {
  return new Date(at).toISOString().replace("Z", "000Z");
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= TEXT_CHARACTERS_MAX ? value : undefined;
}

function present(annotations: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter((each): each is [string, string] => each[1] !== undefined),
  );
}
