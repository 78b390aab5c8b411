import { describe, expect, test } from "vitest";
import { OPTIONS, type Option, type OptionName } from "../../src/config/config.ts";
import { OPTION_TEXTS } from "../../src/config/option-texts.ts";

const ALL = Object.entries(OPTIONS) as [OptionName, Option][];

function takes({ parse }: Option, given: string): boolean {
  try {
    parse(given);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return false;
  }
}

/** Values at the bounds that a range states, and values just beyond them. */
function boundsOf({ type, range }: Option): { readonly within: readonly string[]; readonly beyond: readonly string[] } {
  const step = type === "whole number" || type.includes("percentage") ? 1 : 0.001;
  const numbers = [...range.matchAll(/from ([\d.]+)(%?) to ([\d.]+)(%?)/g)];
  const [, characters] = /at most (\d+) characters$/.exec(range) ?? [];
  const length = Number(characters ?? 0);
  const isList = type === "list";
  const listed = range.replace("none, or some of ", "").replace("taint:KEY", "taint:example.com/key").split(", ");
  const words = isList ? listed : type === "word" ? range.replace("one of ", "").split(", ") : [];
  return {
    within: [
      ...numbers.flatMap(([, min, unit, max]) => [`${min}${unit}`, `${max}${unit}`]),
      ...(length > 0 ? ["x".repeat(length)] : []),
      ...words,
      ...(type === "boolean" ? range.split(" or ") : []),
    ],
    beyond: [
      ...numbers.flatMap(([, min, unit, max]) => [`${Number(min) - step}${unit}`, `${Number(max) + step}${unit}`]),
      ...(length > 0 ? ["x".repeat(length + 1)] : []),
      ...(words.length > 0 ? [`${words.join(",")},`] : []),
      ...(type === "boolean" ? ["yes"] : []),
    ],
  };
}

describe("every option", () => {
  test.each(ALL)("%s is described in sentences, and says when to change it", (name) => {
    const { description, changeWhen } = OPTION_TEXTS[name];
    for (const text of [description, changeWhen]) {
      expect(text).toMatch(/^[A-Z].*\.$/);
      expect(text).not.toMatch(/whoever|nobody|somebody|anybody|\banew\b|\btold\b|\bfor ever\b/i);
    }
  });

  test.each(ALL)("%s has an example that its own check takes, and that is not its default", (name, option) => {
    const { example } = OPTION_TEXTS[name];
    expect(takes(option, example)).toBe(true);
    if (!["cloudProvider", "gwlbIdleMs", "otlpProtocol"].includes(name))
      expect(option.parse(example)).not.toEqual(option.default);
  });

  test.each(ALL.filter(([, option]) => !("text" === option.type && !/^at most/.test(option.range))))(
    "%s states the range that its check has",
    (name, option) => {
      const { within, beyond } = boundsOf(option);
      if (["metadataEndpoint", "httpsProxy", "otlpEndpoint", "otlpTracesEndpoint"].includes(name))
        return expect(within).toEqual([]);
      expect(within.length).toBeGreaterThan(0);
      expect(within.filter((given) => !takes(option, given))).toEqual([]);
      expect(beyond.filter((given) => takes(option, given))).toEqual([]);
    },
  );
});
