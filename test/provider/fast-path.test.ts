import { describe, expect, test } from "vitest";
import type { Registration } from "../../src/drain/cloud-provider.ts";
import type { LoadBalancerKind } from "../../src/drain/load-balancer-kinds.ts";
import { fastPath } from "../../src/provider/fast-path.ts";
import type { ReleaseSettings } from "../../src/provider/release-terms.ts";
import type { AwsPool } from "../../src/provider/target-groups.ts";
import { RELEASES } from "../support/fake-cloud.ts";

const KEPT = { kubeProxyCheckMs: 20_000, keepsUnhealthyMs: Number.POSITIVE_INFINITY };
const CUT = { kubeProxyCheckMs: 20_000 };

type Found = Partial<AwsPool & ReleaseSettings> & { readonly target?: string };

function found(kind: LoadBalancerKind, { target = "i-1:80", ...more }: Found = {}) {
  const terms = RELEASES.of(kind, { drainMs: 300_000, ...more });
  const pool = { kind, id: kind, name: kind, ...more };
  const registration: Registration = { pool, target, state: "live", detail: "healthy", isHealthy: true };
  return { registration, terms, since: 0 };
}

function decide(all: readonly ReturnType<typeof found>[], noticeMs = 120_000, elsewhere: typeof all = []) {
  const registrations = elsewhere.map(({ registration }) => registration);
  return fastPath({ found: all, elsewhere: registrations, now: 0, noticeMs });
}

describe("the fast path", () => {
  test("is taken where an NLB's health check asks kube-proxy and connections of unhealthy targets are kept", () => {
    expect(decide([found("nlb", KEPT), found("alb")])).toEqual({ pools: ["nlb"], failsWithinMs: 20_000 });
  });

  test.each([
    ["no NLB sends to the node", [found("alb", CUT), found("classic")], 120_000],
    ["the notice is as long as an NLB needs", [found("nlb", KEPT)], 210_000],
    ["it was deregistered long enough before", [{ ...found("nlb", KEPT), since: -90_000 }], 120_000],
  ])("is no matter where %s", (_, all, noticeMs) => {
    expect(decide(all, noticeMs)).toBeUndefined();
  });

  test.each([
    ["no health check asks kube-proxy", [found("nlb")], /no health check of its NLB .* port 10256/],
    ["its target may be a pod", [found("nlb", { ...KEPT, target: "10.0.0.9:80" })], /no health check/],
    ["it fails too late", [found("nlb", { ...KEPT, kubeProxyCheckMs: 120_000 })], /of nlb need 120 s to fail/],
    ["connections are closed", [found("nlb", CUT)], /would be cut: nlb closes them .*connection_termination/],
    ["they are kept for too short", [found("nlb", { ...KEPT, keepsUnhealthyMs: 119_000 })], /nlb keeps them for 119 s/],
    ["another pool would cut some", [found("nlb", KEPT), found("unknown", CUT)], /would be cut: unknown closes them/],
  ])("is not taken where %s", (_, all, why) => {
    expect(decide(all)).toMatch(why);
  });

  test("is taken where they are kept until the machine goes, and where an ALB asks kube-proxy too", () => {
    const kept = found("nlb", { ...KEPT, keepsUnhealthyMs: 120_000 });
    expect(decide([kept, found("alb", CUT), found("classic", CUT)])).toMatchObject({ pools: ["nlb"] });
  });

  test("is not taken where a pool that the drain does not cover might cut some", () => {
    const other = found("nlb", { ...CUT, name: "other" });
    expect(decide([found("nlb", KEPT)], 120_000, [other])).toMatch(/other may close them: the drain does not cover it/);
    expect(decide([found("nlb", KEPT)], 120_000, [found("alb", CUT)])).toMatchObject({ pools: ["nlb"] });
  });
});
