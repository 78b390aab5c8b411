import { describe, expect, test } from "vitest";
import type { ApiAnswer } from "../../src/simulator/api/answer.ts";
import { targetGroupXml } from "../../src/simulator/api/elbv2-read.ts";
import { ALLOWANCES } from "../support/fake-cloud.ts";
import { elbError, SimulatedRegion } from "../support/simulated-region.ts";
import { elbAnswer, onlyTermsOf as termsOf } from "./support.ts";

const LISTENERS = ["DescribeListeners", "DescribeListenerAttributes"];

/** What is held where no idle timeout is known, and only then: new flows come for no time here. */
const UNKNOWN_MS = 9_000_000;
const allowances = { ...ALLOWANCES, albPropagationMs: 0, nlbPropagationMs: 0, gwlbIdleMs: UNKNOWN_MS };

function onlyTermsOf(region: SimulatedRegion, node: { readonly id: string }) {
  return termsOf(region, node, { allowances });
}

function scene(idleTimeoutSeconds?: number) {
  const region = new SimulatedRegion();
  const node = region.node();
  const idle = idleTimeoutSeconds === undefined ? {} : { idleTimeoutSeconds };
  const group = region.group({ name: "firewall", type: "gateway", nodes: [node], delaySeconds: 0, ...idle });
  return { region, node, group };
}

describe("a group of a Gateway Load Balancer", () => {
  test.each([
    [undefined, 350_000],
    [6_000, 6_000_000],
    [120, 120_000],
    // Flows that are not TCP are idle for 120 s.
    [60, 120_000],
  ])("keeps flows until they were idle as long as its listener says: %s", async (seconds, holdMs) => {
    const { region, node } = scene(seconds);
    const terms = await onlyTermsOf(region, node);
    expect(terms).toMatchObject({ holdMs });
    expect(terms).not.toHaveProperty("warnings");
  });

  test.each([
    ["denied", elbError("AccessDenied", "no", 403), "AWS denied elasticloadbalancing:"],
    ["not known", elbError("InvalidAction", "no such action"), "failed: InvalidAction"],
  ])("leaves the idle timeout open, with a warning, where a call for it is %s", async (_, answer, why) => {
    for (const denied of LISTENERS) {
      const { region, node } = scene(600);
      region.intercept = ({ action }) => (action === denied ? answer : undefined);
      const terms = await onlyTermsOf(region, node);
      expect(terms?.holdMs).toBe(UNKNOWN_MS);
      expect(terms?.warnings).toEqual([expect.stringContaining(why)]);
      expect(terms?.warnings?.[0]).toContain("GWLB_IDLE is used; set that to the listener's tcp.idle_timeout.seconds");
    }
  });

  test.each([
    ["no such attribute", [], "AWS names none"],
    [
      "one that no flow can wait for",
      [{ Key: "tcp.idle_timeout.seconds", Value: "9".repeat(30) }],
      `AWS says '${"9".repeat(30)}'`,
    ],
    ["one that is no number", [{ Key: "tcp.idle_timeout.seconds", Value: "default" }], "AWS says 'default'"],
  ])("leaves it open where the listener has %s", async (_, member, why) => {
    const { region, node } = scene();
    region.intercept = ({ action }) =>
      action === "DescribeListenerAttributes" ? elbAnswer(action, { Attributes: { member } }) : undefined;
    const terms = await onlyTermsOf(region, node);
    expect(terms?.holdMs).toBe(UNKNOWN_MS);
    expect(terms?.warnings).toEqual([expect.stringContaining(why)]);
  });

  /** The load balancer has two listeners: the simulator's, and another one of which AWS answers `other`. */
  function withSecondListener(other: ApiAnswer | Partial<ApiAnswer>) {
    const { region, node } = scene(6_000);
    const second = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/gwy/other/1/2";
    const [listener] = [...region.world.loadBalancers.values()].flatMap(({ listeners }) => [...listeners]);
    region.intercept = ({ action, params }) => {
      if (action === "DescribeListeners")
        return elbAnswer(action, {
          Listeners: { member: [{ ListenerArn: listener?.arn ?? "" }, { ListenerArn: second }] },
        });
      return action === "DescribeListenerAttributes" && params.get("ListenerArn") === second ? other : undefined;
    };
    return { region, node };
  }

  test.each([
    ["names none", elbAnswer("DescribeListenerAttributes", { Attributes: { member: [] } }), "AWS names none"],
    ["is denied", elbError("AccessDenied", "no", 403), "AWS denied elasticloadbalancing:"],
  ])(
    "keeps what one listener says where another one's timeout %s, and says that it may be longer",
    async (_, other, why) => {
      const { region, node } = withSecondListener(other);
      const terms = await onlyTermsOf(region, node);
      expect(terms?.holdMs).toBe(UNKNOWN_MS);
      const shorter = { ...allowances, gwlbIdleMs: 350_000 };
      expect((await termsOf(region, node, { allowances: shorter }))?.holdMs).toBe(6_000_000);
      expect(terms?.warnings).toEqual([expect.stringContaining(why)]);
    },
  );

  test("asks for the timeout of its listener where another kind of load balancer uses it too", async () => {
    const { region, node, group } = scene(6_000);
    region.intercept = ({ action }) => {
      if (action !== "DescribeTargetGroups") return undefined;
      const listed = targetGroupXml(group, region.world);
      const { member } = listed.LoadBalancerArns as { readonly member: readonly string[] };
      const arns = [...member, "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/mesh/other/1"];
      return elbAnswer(action, { TargetGroups: { member: [{ ...listed, LoadBalancerArns: { member: arns } }] } });
    };
    const shorter = { ...allowances, gwlbIdleMs: 350_000 };
    const terms = await termsOf(region, node, { allowances: shorter });
    expect(terms?.holdMs).toBe(6_000_000);
    expect(terms).not.toHaveProperty("warnings");
  });

  test("fails for now where AWS fails in passing: a long timeout is not taken for the default", async () => {
    const { region, node } = scene(6_000);
    region.intercept = ({ action }) =>
      action === "DescribeListeners" ? elbError("ServiceUnavailable", "later", 503) : undefined;
    await expect(region.clock.run(onlyTermsOf(region, node))).rejects.toMatchObject({ code: "unavailable" });
  });

  test.each([60, 6_000])(
    "whose flows are told apart by addresses keeps them for AWS's default, whatever its listener says: %i",
    async (seconds) => {
      const { region, node, group } = scene(seconds);
      group.attributes.set("stickiness.enabled", "true");
      expect((await onlyTermsOf(region, node))?.holdMs).toBe(350_000);
      expect(LISTENERS.flatMap((action) => region.callsOf(action))).toEqual([]);
    },
  );

  test("whose flows move to another target needs no idle timeout, and asks for none", async () => {
    const { region, node, group } = scene(6_000);
    group.attributes.set("target_failover.on_deregistration", "rebalance");
    group.attributes.set("send_tcp_reset.on_deregistration.enabled", "true");
    const terms = await onlyTermsOf(region, node);
    expect(terms?.unsaved.map(({ code }) => code)).toEqual(["terminated-connections", "moved-connections"]);
    expect(terms?.holdMs).toBe(allowances.gwlbFailoverMs);
    expect(LISTENERS.flatMap((action) => region.callsOf(action))).toEqual([]);
  });

  test("that resets TCP flows and moves none keeps the others until they were idle", async () => {
    const { region, node, group } = scene();
    group.attributes.set("send_tcp_reset.on_deregistration.enabled", "true");
    const terms = await onlyTermsOf(region, node);
    expect(terms?.unsaved.map(({ code }) => code)).toEqual(["terminated-connections", "long-connections"]);
    expect(terms?.holdMs).toBe(350_000);
  });
});

test("groups of other load balancers ask for no listener", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "tcp", type: "network", nodes: [node] });
  await onlyTermsOf(region, node);
  expect(LISTENERS.flatMap((action) => region.callsOf(action))).toEqual([]);
});
