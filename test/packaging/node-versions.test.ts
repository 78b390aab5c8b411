import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Locked {
  readonly packages: Readonly<Record<string, { readonly engines?: { readonly node?: string } }>>;
}

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as Locked;
const OLDEST = /\d+\.\d+/.exec(packages[""]?.engines?.node ?? "")?.[0] ?? "";

/** Whether a range of versions has this one. https://github.com/npm/node-semver#ranges, as far as packages use them. */
function has(range: string, version: string): boolean {
  return range.split("||").some((alternative) =>
    [...alternative.trim().matchAll(/(>=|<=|>|<|\^|~|=)?\s*v?([\d.*x]+)/g)].every(([, operator = "^", bound = ""]) => {
      const difference = compare(version, bound);
      if (bound.startsWith("*")) return true;
      if (operator === "^" || operator === "~" || operator === "=")
        return difference >= 0 && version.split(".")[0] === bound.split(".")[0];
      return (
        { ">=": difference >= 0, ">": difference > 0, "<=": difference <= 0, "<": difference < 0 }[operator] ?? false
      );
    }),
  );
}

function compare(one: string, other: string): number {
  const [left, right] = [one, other].map((version) => version.split(".").map((part) => Number.parseInt(part, 10) || 0));
  const at = (left ?? []).findIndex((part, place) => part !== (right?.[place] ?? 0));
  return at === -1 ? 0 : (left?.[at] ?? 0) - (right?.[at] ?? 0);
}

test("every package that npm ci installs takes the oldest Node that the product does, so npm warns of none", () => {
  expect(OLDEST).toBe("20.19");
  expect(Object.keys(packages).length).toBeGreaterThan(100);
  const refusing = Object.entries(packages).flatMap(([path, { engines }]) =>
    engines?.node === undefined || has(engines.node, `${OLDEST}.0`) ? [] : [`${path} wants Node ${engines.node}`],
  );
  expect(refusing).toEqual([]);
});

test.each([
  [">=20", true],
  [">=22", false],
  ["^20.19.0 || >=22.12.0", true],
  ["^20.20.0 || >=22.12.0", false],
  [">=22.12.0 || >=20.19.0 <21.0.0", true],
  ["18 || 20 || >=22", true],
  ["10.* || >= 12.*", true],
  ["*", true],
])("of the range %s Node 20.19 is one: %s", (range, isIn) => {
  expect(has(range, "20.19.0")).toBe(isIn);
});
