import type { CompletedFlag, CompletedVerb } from "./completed-verb.ts";

const COMMAND = "complete -c hasta-la-vista";

/** For fish from 3 on. */
export function fishScript(verbs: readonly CompletedVerb[]): string {
  const first = verbs.map(
    ({ name, summary }) => `${COMMAND} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
  );
  const lines = [
    "# Completion of hasta-la-vista for fish.",
    "# hasta-la-vista completion fish > ~/.config/fish/completions/hasta-la-vista.fish",
    `${COMMAND} -f`,
    ...first,
    `${COMMAND} -n __fish_use_subcommand -a help -d 'display help for command'`,
    `${COMMAND} -n '__fish_seen_subcommand_from help' -a '${verbs.map(({ name }) => name).join(" ")}'`,
    ...verbs.flatMap(verbLines),
  ];
  return `${lines.join("\n")}\n`;
}

function verbLines({ name, flags, words }: CompletedVerb): readonly string[] {
  const here = `${COMMAND} -n '__fish_seen_subcommand_from ${name}'`;
  return [
    ...(words.length > 0 ? [`${here} -a '${words.join(" ")}'`] : []),
    ...flags.map((flag) => `${here} ${spellings(flag)} -d ${quoted(flag.summary)}${taken(flag)}`),
  ];
}

function spellings({ long, short }: CompletedFlag): string {
  const name = `-l ${long.replace(/^--/, "")}`;
  return short === undefined ? name : `-s ${short.replace(/^-/, "")} ${name}`;
}

/** `-r`: it has a value. `-F`: a file. `-x`: no file. */
function taken({ value }: CompletedFlag): string {
  if (value === undefined) return "";
  if (value.words.length > 0) return ` -x -a '${value.words.join(" ")}'`;
  return value.isFile ? " -r -F" : " -x";
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
