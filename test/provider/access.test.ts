import { describe, expect, test } from "vitest";
import { READ, READ_TAGS } from "../../src/aws/policy.ts";
import { elbError, SimulatedRegion } from "../support/simulated-region.ts";

const PLAN_ACTIONS = [...READ, READ_TAGS].sort();

/** A region with one pool of each kind. */
function region() {
  const made = new SimulatedRegion();
  const node = made.node();
  made.group({ name: "web", nodes: [node] });
  made.group({ name: "other", nodes: [node] });
  made.classic({ name: "legacy", nodes: [node] });
  return made;
}

describe("what AWS allows", () => {
  test("is found out with one small call for each read that a drain may make, and no other", async () => {
    const checked = region();
    expect(await checked.checkAccess({ DISCOVERY: "tag" })).toEqual([]);
    expect([...checked.simulator.calls.keys()].sort()).toEqual([...PLAN_ACTIONS]);
    const twice = new Set(["elasticloadbalancing:DescribeTags"]);
    for (const [action, calls] of checked.simulator.calls)
      expect([action, calls]).toEqual([action, twice.has(action) ? 2 : 1]);
    for (const { params } of checked.calls) expect(params.get("PageSize") ?? "1").toBe("1");
  });

  test("of tags is asked only where DISCOVERY=tag needs them", async () => {
    const checked = region();
    await checked.checkAccess();
    expect([...checked.simulator.calls.keys()].sort()).toEqual(
      PLAN_ACTIONS.filter((action) => !action.endsWith("Tags")),
    );
  });

  test("is asked of no pool where there is none", async () => {
    const checked = new SimulatedRegion();
    expect(await checked.checkAccess({ DISCOVERY: "tag" })).toEqual([]);
    expect(checked.calls.map(({ action }) => action)).toEqual([
      "DescribeInstances",
      "DescribeTargetGroups",
      "DescribeLoadBalancers",
    ]);
  });

  test.each(PLAN_ACTIONS)("names %s when it is denied, and looks on for others", async (action) => {
    const checked = region();
    checked.intercept = (call) =>
      action.endsWith(`:${call.action}`) ? elbError("AccessDenied", "User: x is not authorized", 403) : undefined;
    const problems = await checked.checkAccess({ DISCOVERY: "tag" });
    expect(problems).toMatchObject([{ action, error: { code: "access-denied" } }]);
    expect(checked.calls.at(-1)?.params.get("Version")).toBe("2012-06-01");
  });

  test("is named all at once where AWS denies everything", async () => {
    const checked = region();
    checked.intercept = () => elbError("AccessDenied", "no", 403);
    expect((await checked.checkAccess()).map(({ action }) => action)).toEqual([
      "ec2:DescribeInstances",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeLoadBalancers",
    ]);
  });

  test("can't be found out with credentials that have expired: one call and its repetitions are enough to know", async () => {
    const checked = region();
    checked.intercept = () => elbError("ExpiredToken", "expired", 403);
    expect(await checked.clock.run(checked.checkAccess())).toMatchObject([{ error: { code: "no-credentials" } }]);
    expect(checked.calls).toHaveLength(3);
  });

  test("is not in question because a pool vanishes between two calls", async () => {
    const checked = region();
    checked.intercept = ({ action }) =>
      action === "DescribeTargetHealth" ? elbError("TargetGroupNotFound", "gone") : undefined;
    expect(await checked.checkAccess()).toEqual([]);
  });
});
