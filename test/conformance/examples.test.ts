import { describe, expect, test } from "vitest";
import { compare } from "./examples/comparison.ts";
import { nameOf, readExamples } from "./examples/example.ts";
import { CAUSES, type Cause, LISTED } from "./examples/listed-differences.ts";
import { isSimulated, type Replayed, replayAll } from "./examples/replayed.ts";
import { describeWith } from "./support/programs.ts";

/** So many AWS has had for years. */
const EXAMPLES_MIN = 300;
const SIMULATED_MIN = 110;

describeWith("python", "AWS's own examples, as botocore ships them", () => {
  test("each example of a simulated action is answered as it shows, but for the differences that are listed", async () => {
    const examples = (await readExamples()).filter(isSimulated);
    expect(examples.length).toBeGreaterThanOrEqual(SIMULATED_MIN);
    const replayed = await replayAll(examples);
    expect(replayed.map(({ example }) => nameOf(example))).toEqual(examples.map(nameOf));
    expect(replayed.flatMap(({ answer }) => ("findings" in answer ? answer.findings : []))).toEqual([]);

    const known = new Set(LISTED.flatMap(({ example, places }) => places.map((place) => `${example}: ${place}`)));
    const found = replayed.flatMap(({ example, differences }) =>
      differences.map(({ place, answered, shown }) => ({
        where: `${nameOf(example)}: ${place}`,
        what: `${JSON.stringify(answered)} instead of ${JSON.stringify(shown)}`,
      })),
    );
    expect(found.filter(({ where }) => !known.has(where))).toEqual([]);
    const places = new Set(found.map(({ where }) => where));
    expect([...known].filter((place) => !places.has(place))).toEqual([]);
    console.info(countOf(replayed));
  });

  test("each other example is refused, because its action is not simulated", async () => {
    const all = await readExamples();
    expect(all.length).toBeGreaterThanOrEqual(EXAMPLES_MIN);
    expect(new Set(all.map(nameOf)).size).toBe(all.length);
    const others = all.filter((example) => !isSimulated(example));
    const replayed = await replayAll(others);
    const code = "NotSimulated";
    expect(replayed.map(({ example, answer }) => ({ example: nameOf(example), answer }))).toEqual(
      others.map((example) => {
        const error = { code, status: 501, message: `The action ${example.action} is not simulated` };
        return { example: nameOf(example), answer: { error } };
      }),
    );
    console.info(`${others.length} examples of actions that are not simulated`);
  });
});

describe("an answer that is not what an example shows", () => {
  const shown = {
    Arn: "arn:aws:x:us-west-2:123456789012:targetgroup/web/73e2d6bc24d8a067",
    Id: "i-0f76fade",
    At: "2016-03-25T21:26:12.920Z",
    Says: "At 2015-04-12T15:02:16Z instance i-0f76fade was detached.",
    Tags: [
      { Key: "project", Value: "lima" },
      { Key: "team", Value: "red" },
    ],
    Attributes: [{ Key: "stickiness.enabled", Value: "false" }],
    Count: 1,
  };
  const known = new Set(["i-0f76fade"]);
  const placesOf = (changed: object) => compare({ ...shown, ...changed }, shown, known).map(({ place }) => place);

  test("is the same where it has more members, other moments and ids of AWS's own, and another order", () => {
    const Arn = "arn:aws:x:us-west-2:123456789012:targetgroup/web/0123456789abcdef";
    const At = "2026-01-01T00:00:00+00:00";
    const Says = "At 2026-01-01T00:00:00Z instance i-0f76fade was detached.";
    const Attributes = [{ Key: "stickiness.type", Value: "lb_cookie" }, ...shown.Attributes];
    expect(placesOf({ Arn, At, Says, Attributes, Tags: shown.Tags.toReversed(), More: "yes" })).toEqual([]);
  });

  test.each<[string, object, string]>([
    ["a missing member", { Count: undefined }, "Count"],
    ["a member of another type", { Count: "1" }, "Count"],
    ["another name within an ARN", { Arn: shown.Arn.replace("web", "api") }, "Arn"],
    ["an ARN without its digits", { Arn: shown.Arn.replace(/\/[^/]+$/, "/") }, "Arn"],
    ["another instance than the example's", { Id: "i-0f76fadd" }, "Id"],
    ["another instance within a sentence", { Says: shown.Says.replace("fade", "fadd") }, "Says"],
    ["no moment where there is one", { At: "yesterday" }, "At"],
    ["another value of a tag", { Tags: [shown.Tags[0], { Key: "team", Value: "blue" }] }, "Tags[1].Value"],
    [
      "a wrong value beside a right one that is the same",
      { Tags: [{ Key: "project", Value: "red" }, shown.Tags[1]] },
      "Tags[0].Value",
    ],
    ["a tag too many", { Tags: [...shown.Tags, { Key: "more", Value: "" }] }, "Tags.length"],
    ["a tag too few", { Tags: shown.Tags.slice(0, 1) }, "Tags.length"],
    ["no attribute", { Attributes: [] }, "Attributes.length"],
    ["a text instead of a list", { Tags: "none" }, "Tags"],
  ])("is found to differ: %s", (_, changed, place) => {
    expect(placesOf(changed)).toEqual([place]);
  });
});

test("each listed difference has a reason in a sentence, and is listed once", () => {
  expect(LISTED.filter(({ why }) => !/^[A-Z].+\.$/.test(why))).toEqual([]);
  const all = LISTED.flatMap(({ example, places }) => places.map((place) => `${example}: ${place}`));
  expect(all.filter((place, index) => all.indexOf(place) !== index)).toEqual([]);
});

function countOf(replayed: readonly Replayed[]): string {
  const same = replayed.filter(({ differences }) => differences.length === 0).length;
  const differing = (cause: Cause) =>
    new Set(LISTED.filter((one) => one.cause === cause).map(({ example }) => example));
  const causes = (Object.keys(CAUSES) as Cause[]).map((cause) => `${differing(cause).size} because ${CAUSES[cause]}`);
  return `${replayed.length} examples replayed: ${same} answered as shown; others differ, some for several reasons: ${causes.join("; ")}`;
}
