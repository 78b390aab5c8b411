import type { Command, Option } from "commander";
import { wordsOf } from "../options.ts";

/** What a shell can complete for a verb. */
export interface CompletedVerb {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  /** The values of its argument, if there are only a few. */
  readonly words: readonly string[];
}

export interface CompletedFlag {
  /** `--output` */
  readonly long: string;
  /** `-o` */
  readonly short?: string;
  readonly summary: string;
  /** Absent: the flag has no value. */
  readonly value?: {
    /** `format` */
    readonly name: string;
    /** Empty: any text. */
    readonly words: readonly string[];
    readonly isFile: boolean;
  };
}

const SUMMARY_CHARACTERS_MAX = 90;

export function completedVerb(command: Command): CompletedVerb {
  return {
    name: command.name(),
    summary: command.summary(),
    flags: [...command.options.flatMap(completedFlag), HELP],
    words: command.registeredArguments.flatMap((argument) => wordsOf(argument) ?? []),
  };
}

const HELP: CompletedFlag = { long: "--help", short: "-h", summary: "display help for command" };
/** The names of values that are files. */
const FILES: ReadonlySet<string> = new Set(["file", "path", "directory"]);

function completedFlag(option: Option): readonly CompletedFlag[] {
  const { long, short, flags, description, parseArg } = option;
  if (long === undefined) return [];
  const name = /[<[]([^>\]]+)[>\]]/.exec(flags)?.[1];
  const words = wordsOf(option) ?? (parseArg && wordsOf(parseArg)) ?? [];
  return [
    {
      long,
      ...(short === undefined ? {} : { short }),
      summary: summaryOf(description),
      ...(name === undefined ? {} : { value: { name, words, isFile: FILES.has(name) } }),
    },
  ];
}

/** The first sentence, or as much of it as fits into a line. */
function summaryOf(description: string): string {
  const [line = ""] = description.split("\n");
  const sentence = line.replace(/[.;:] .*$/, "").replace(/\.$/, "");
  return sentence.length <= SUMMARY_CHARACTERS_MAX ? sentence : `${sentence.slice(0, SUMMARY_CHARACTERS_MAX - 1)}…`;
}
