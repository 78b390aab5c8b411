import { readFileSync } from "node:fs";

export interface Instruction {
  readonly keyword: string;
  /** `--from=build` is `from: "build"`. */
  readonly flags: Readonly<Record<string, string>>;
  /** What follows the flags: the elements of the JSON form, or else the words. */
  readonly words: readonly string[];
}

export interface Stage {
  readonly name: string;
  readonly image: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly instructions: readonly Instruction[];
}

/** The stages of the Dockerfile in order: the last is what is built without `--target`. */
export function readStages(): readonly Stage[] {
  const lines = readFileSync("Dockerfile", "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const stages: { name: string; image: string; flags: Instruction["flags"]; instructions: Instruction[] }[] = [];
  for (const { keyword, flags, words } of lines.map(readInstruction)) {
    if (keyword === "FROM") stages.push({ image: words[0] ?? "", name: words[2] ?? "", flags, instructions: [] });
    else stages.at(-1)?.instructions.push({ keyword, flags, words });
  }
  return stages;
}

export function readStage(name: string): Stage {
  const stage = readStages().find((candidate) => candidate.name === name);
  if (stage === undefined) throw new Error(`the Dockerfile has no stage '${name}'`);
  return stage;
}

/** Throws unless the stage has the instruction exactly once. */
export function only(stage: Stage, keyword: string): Instruction {
  const [found, ...more] = stage.instructions.filter((instruction) => instruction.keyword === keyword);
  if (found === undefined || more.length > 0) throw new Error(`${stage.name} needs one ${keyword}`);
  return found;
}

/** The Dockerfile keeps to one line an instruction, so that this is enough to read it. */
function readInstruction(line: string): Instruction {
  if (/^\s|\\$/.test(line)) throw new Error(`an instruction of the Dockerfile is longer than its line: ${line}`);
  const [, keyword = "", given = "", rest = ""] = /^([A-Z]+)((?: --\S+)*) (.*)$/.exec(line) ?? [];
  const flags = Object.fromEntries([...given.matchAll(/--([a-z]+)=(\S+)/g)].map(([, name, value]) => [name, value]));
  if (keyword === "HEALTHCHECK") return { keyword, flags, words: JSON.parse(rest.replace(/^CMD /, "")) };
  return { keyword, flags, words: rest.startsWith("[") ? JSON.parse(rest) : rest.split(" ") };
}
