import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";
import type { Example, Json, JsonObject } from "./example.ts";

const DEFAULT_REGION = "us-west-2";
const ZONE = /\b([a-z]{2}-[a-z]+-\d)[a-f]\b/;
const REGION = /\b((?:us|eu|ap|sa|ca)-[a-z]+-\d)\b/;

/** A region in which the things exist that an example is about, and the names that they have there. */
export class Scene {
  readonly example: Example;
  readonly region: SimulatedRegion;
  readonly vpcId: string;
  /** By the example's name of a thing: the simulator's. */
  readonly #names = new Map<string, string>();

  constructor(example: Example) {
    this.example = example;
    const text = JSON.stringify([example.input, example.output]);
    const region = ZONE.exec(text)?.[1] ?? REGION.exec(text)?.[1] ?? DEFAULT_REGION;
    this.region = new SimulatedRegion({}, { region });
    this.vpcId = idsIn([example.input, example.output], "vpc")[0] ?? VPC;
    this.call(this.vpcId, this.vpcId);
  }

  get world() {
    return this.region.world;
  }

  /** From now on the simulator calls a thing so. Whatever has no such name goes by the same name in both. */
  call(theirs: string, ours: string): void {
    this.#names.set(theirs, ours);
  }

  /** Texts that are the same in the answer and in what the example shows, once it is translated. */
  get known(): ReadonlySet<string> {
    return new Set(this.#names.values());
  }

  /** Names replaced by the simulator's. */
  translated<Value extends Json>(value: Value): Value {
    const longestFirst = [...this.#names.keys()].sort((a, b) => b.length - a.length);
    const pattern = new RegExp(longestFirst.map((name) => name.replaceAll(".", "\\.")).join("|"), "g");
    return mapTexts(value, (text) => text.replace(pattern, (name) => this.#names.get(name) ?? name)) as Value;
  }

  /** What the simulator calls a thing. */
  nameOf(theirs: string): string {
    return this.#names.get(theirs) ?? theirs;
  }

  /** Whether the call makes things, so that those that only its answer names do not exist before. */
  get isCreation(): boolean {
    return this.example.action.startsWith("Create");
  }
}

/** The ids of a kind anywhere in a value, in order: `i-…`, `sg-…`. */
export function idsIn(value: Json, kind: string): readonly string[] {
  const pattern = new RegExp(`(?<![\\w-])${kind}-(?=[a-z]*\\d)[0-9A-Za-z]{8,}\\b`, "g");
  return [...new Set(textsIn(value).flatMap((text) => text.match(pattern) ?? []))];
}

export function textsIn(value: Json): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

/** All objects within a value that have this member. */
export function objectsWith(value: Json, member: string): readonly JsonObject[] {
  if (typeof value !== "object" || value === null) return [];
  const inside = Object.values(value).flatMap((each: Json) => objectsWith(each, member));
  return Object.hasOwn(value, member) ? [value as JsonObject, ...inside] : inside;
}

function mapTexts(value: Json, change: (text: string) => string): Json {
  if (typeof value === "string") return change(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each: Json) => mapTexts(each, change));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapTexts(each, change)]));
}
