import { DescribeLoadBalancersCommand } from "@aws-sdk/client-elastic-load-balancing";
import { DescribeTargetGroupsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { expect, test } from "vitest";
import { createAwsClients } from "../../src/aws/clients.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

/** Long enough for whatever is under way in this process. */
async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test("of answers that come at once, one is parsed in each turn of the event loop, whichever client asked", async () => {
  const region = new SimulatedRegion();
  const turns: (() => void)[] = [];
  const turn = () => new Promise<void>((resolve) => turns.push(resolve));
  const { classic, v2 } = createAwsClients({ region: region.world.region, ...region.aws(), turn });
  const parsed: string[] = [];
  const calls = [
    classic.send(new DescribeLoadBalancersCommand({})).then(() => parsed.push("classic")),
    v2.send(new DescribeTargetGroupsCommand({})).then(() => parsed.push("v2")),
    classic.send(new DescribeLoadBalancersCommand({})).then(() => parsed.push("classic")),
  ];
  for (const count of [0, 1, 2]) {
    await settled();
    expect(parsed).toHaveLength(count);
    expect(turns).toHaveLength(1);
    for (const pass of turns.splice(0)) pass();
  }
  await Promise.all(calls);
  expect(parsed.sort()).toEqual(["classic", "classic", "v2"]);
});
