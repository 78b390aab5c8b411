import { describe, expect, test } from "vitest";
import type { Loss } from "../../src/demo/traffic.ts";
import { AWS_TIMING } from "../../src/simulator/timing.ts";
import {
  type ClientLoss,
  causeOf,
  type Departed,
  lostByTheProduct,
  type Spare,
  UNSAVABLE,
} from "../support/loss-causes.ts";

const [IN_FLIGHT, IN_LAG, OLDER] = UNSAVABLE;
const SECOND = 1_000;
/** Deregistered after 1 s, off after 120 s. */
const MACHINE: Departed = { id: "i-1", deregisteredAt: 1 * SECOND, diedAt: 120 * SECOND };

function loss(
  through: ClientLoss["through"],
  [openedAt, lostAt]: readonly [number, number],
  target?: string,
): ClientLoss {
  const times = { openedAt: openedAt * SECOND, at: openedAt * SECOND, lostAt: lostAt * SECOND };
  return { through, ...times, ...(target === undefined ? {} : { target }) };
}

describe("a loss is put down to a notice that is too short", () => {
  test.each<[string, ClientLoss, string]>([
    [
      "a request to an ALB from before the warning that lasts until the machine is off",
      loss("alb", [-5, 120.1]),
      IN_FLIGHT,
    ],
    ["one that an ALB sent within its lag", loss("alb", [18, 120.1]), IN_FLIGHT],
    ["a flow of an NLB that was opened within its lag", loss("nlb", [60, 120.1]), IN_LAG],
    ["one that was opened then to a machine that was off already", loss("nlb", [125, 130]), IN_LAG],
    ["one that was there before and stays", loss("nlb", [-100, 120.1]), OLDER],
    ["one of which the client knows who had it", loss("nlb", [-100, 120.1], "i-1"), OLDER],
  ])("%s", (_, lost, cause) => {
    expect(causeOf(lost, [MACHINE], AWS_TIMING)).toBe(cause);
  });
});

describe("any other loss is the service's", () => {
  test.each<[string, ClientLoss, readonly Departed[]]>([
    ["a request that an ALB sent after its lag", loss("alb", [60, 120.1]), [MACHINE]],
    ["one to an ALB that was lost before the machine was off", loss("alb", [-5, 30]), [MACHINE]],
    ["one through a classic load balancer", loss("classic", [-5, 120.1]), [MACHINE]],
    ["a flow of an NLB that was opened after its lag", loss("nlb", [182, 183]), [MACHINE]],
    ["one that another machine had", loss("nlb", [-100, 120.1], "i-2"), [MACHINE]],
    [
      "one to a machine that nobody had deregistered",
      loss("nlb", [60, 120.1]),
      [{ ...MACHINE, deregisteredAt: undefined }],
    ],
    [
      "one to a machine that was deregistered when it was off",
      loss("nlb", [60, 120.1]),
      [{ ...MACHINE, deregisteredAt: 121_000 }],
    ],
    ["one where no machine has gone", loss("alb", [60, 120.1]), []],
  ])("%s", (_, lost, departed) => {
    expect(causeOf(lost, departed, AWS_TIMING)).toBe("any other");
  });
});

describe("a request that a client has lost was lost by the product", () => {
  const SPARES: Readonly<Record<string, Spare>> = {
    web: { through: "alb", spareMs: 1_500 },
    tcp: { through: "nlb", spareMs: 2_000 },
    legacy: { through: "classic", spareMs: 1_500 },
  };
  const lost = (to: string, cause: Loss["cause"], tookMs: number, openMs = 0): readonly Loss[] => [
    { to, cause, at: 10_000, openedAt: 10_000 - openMs, lostAt: 10_000 + tookMs },
  ];

  test.each<[string, readonly Loss[]]>([
    ["where it was cut as soon as it was sent", lost("web", "502", 20)],
    ["where it was cut within what its hold has to spare", lost("web", "502", 1_500)],
    ["where nothing answered at its target", lost("web", "504", 20_000)],
    ["where its load balancer had no target", lost("web", "503", 20_000)],
    ["where its connection was refused", lost("tcp", "refused", 20_000)],
    ["where nothing ever came back", lost("tcp", "timeout", 20_000)],
    ["where an NLB's flow broke that was opened a moment ago", lost("tcp", "reset", 20, 500)],
    ["where a classic load balancer has waited in vain", lost("legacy", "504", 300)],
  ])("%s", (_, losses) => {
    expect(lostByTheProduct(losses, SPARES)).toEqual(losses);
  });

  test.each<[string, readonly Loss[]]>([
    ["where it had taken longer than any hold has to spare", lost("web", "502", 1_501)],
    ["where its flow had been open for longer", lost("tcp", "reset", 20, 2_000)],
    ["where a classic load balancer had waited for its answer for longer", lost("legacy", "504", 1_501)],
  ])("but not %s", (_, losses) => {
    expect(lostByTheProduct(losses, SPARES)).toEqual([]);
  });

  test("of a pool that is known", () => {
    expect(() => lostByTheProduct(lost("other", "502", 1), SPARES)).toThrow("no pool is named 'other'");
  });
});
