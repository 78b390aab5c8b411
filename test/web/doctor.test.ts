import { describe, expect, test } from "vitest";
import { KeptAudit } from "../../src/app/kept-audit.ts";
import type { DoctorReport } from "../../src/doctor/report.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { never } from "../support/simulated-region.ts";
import { NO_FINDINGS, SECRET, webApp } from "../support/web-app.ts";

const bearer = { authorization: `Bearer ${SECRET}` };
const FOUND: DoctorReport = {
  ...NO_FINDINGS,
  region: "eu-west-1",
  cluster: "demo",
  findings: [
    {
      code: "classic-draining-off",
      severity: "error",
      resource: { kind: "classic-load-balancer", id: "legacy", name: "legacy", place: "prod" },
      cost: "Every request is cut.",
      evidence: [
        {
          read: "elasticloadbalancing:DescribeLoadBalancerAttributes",
          name: "ConnectionDraining.Enabled",
          value: "false",
        },
      ],
      mend: ["aws elb …"],
      advice: "Soon.",
      page: "docs/doctor.md#classic-draining-off",
    },
  ],
  notLookedAt: [{ what: "the queue", why: "denied" }],
  counts: { error: 1, warning: 0, notice: 0 },
};

describe("GET /doctor", () => {
  test("answers with what was found, as it is described", async () => {
    const response = await webApp({ examine: async () => FOUND }).request("/doctor", { headers: bearer });
    expect([response.status, await response.json()]).toEqual([200, FOUND]);
  });

  test("requires the secret, and says what has failed", async () => {
    expect((await webApp().request("/doctor")).status).toBe(401);
    const examine = () => Promise.reject(new DrainError("access-denied", "AWS denied it"));
    const response = await webApp({ examine }).request("/doctor", { headers: bearer });
    expect([response.status, await response.json()]).toEqual([502, expect.objectContaining({ code: "access-denied" })]);
  });
});

describe("the audit of a service", () => {
  function scene() {
    const clock = new VirtualClock();
    const waiting: { readonly answer: (report: DoctorReport) => void; readonly fail: (error: Error) => void }[] = [];
    const examine = () => new Promise<DoctorReport>((answer, fail) => void waiting.push({ answer, fail }));
    return { clock, waiting, audit: new KeptAudit({ clock, examine, end: never }) };
  }

  test("is one for all callers that ask meanwhile, and for a minute", async () => {
    const { clock, waiting, audit } = scene();
    const both = Promise.all([audit.read(never), audit.read(never)]);
    waiting[0]?.answer(FOUND);
    expect(await both).toEqual([FOUND, FOUND]);
    await clock.advance(59_999);
    expect(await audit.read(never)).toBe(FOUND);
    expect(waiting).toHaveLength(1);
    await clock.advance(1);
    const next = audit.read(never);
    waiting[1]?.answer(NO_FINDINGS);
    expect(await next).toBe(NO_FINDINGS);
  });

  test("goes on for the others when a caller leaves", async () => {
    const { waiting, audit } = scene();
    const left = newAbort();
    const [one, other] = [audit.read(left.signal), audit.read(never)];
    left.abort(new Error("left"));
    await expect(one).rejects.toThrow("left");
    waiting[0]?.answer(FOUND);
    expect(await other).toBe(FOUND);
  });

  test("begins again for the next caller once it has failed", async () => {
    const { waiting, audit } = scene();
    const failed = audit.read(never);
    waiting[0]?.fail(new Error("AWS is gone"));
    await expect(failed).rejects.toThrow("AWS is gone");
    const next = audit.read(never);
    waiting[1]?.answer(FOUND);
    expect(await next).toBe(FOUND);
  });
});
